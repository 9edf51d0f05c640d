"""The console command `mammoflow`; a module for each subcommand."""
