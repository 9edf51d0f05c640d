"""Stands in for the interface of Kubernetes that Snakemake's plugin uses; a pod is a process."""

import base64
import json
import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Pods:
    """A server that starts the container of each job in an empty folder, and remembers what was asked for.

    Images and volumes are not used: the programs, and the paths of volumes, are those of this machine.
    """

    def __init__(self, folder, path):
        self.folder = folder
        self.path = path
        self.secrets, self.specs, self._processes = {}, {}, {}
        pods = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or "{}")
                kind, name = re.search(r"/namespaces/\w+/(\w+)/?([\w-]*)", self.path).groups()
                text = json.dumps(pods.call(self.command, kind, name, body)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{self._server.server_port}"
        self.settings = folder / "kubeconfig"
        self.settings.write_text(
            json.dumps(
                {
                    "clusters": [{"name": "test", "cluster": {"server": address}}],
                    "users": [{"name": "test", "user": {}}],
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                    "current-context": "test",
                }
            )
        )

    def call(self, method, kind, name, body):
        """Answer of the interface to a request."""
        if method == "POST" and kind == "secrets":
            self.secrets[body["metadata"]["name"]] = body["data"]
        elif method == "POST" and kind == "jobs":
            self._start(body)
        elif method == "GET" and kind == "jobs":
            ended = self._processes[name].poll()
            state = "active" if ended is None else "failed" if ended else "succeeded"
            return {"metadata": {"name": name}, "status": {state: 1}}
        return {"items": []} if kind == "pods" else {"metadata": body.get("metadata")}

    def _start(self, job):
        name = job["metadata"]["name"]
        spec = job["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        self.specs[name] = spec
        env = {"PATH": self.path, "HOME": str(self.folder)}
        for each in container["env"]:
            key = each["valueFrom"]["secretKeyRef"]
            env[each["name"]] = base64.b64decode(self.secrets[key["name"]][key["key"]]).decode()
        work = self.folder / name
        work.mkdir()
        with (self.folder / f"{name}.log").open("w") as log:
            self._processes[name] = subprocess.Popen(
                [*container["command"], *container["args"]], cwd=work, env=env, stdout=log, stderr=log
            )

    def logs(self):
        """What the containers printed."""
        return "\n".join(path.read_text() for path in self.folder.glob("*.log"))

    @property
    def env(self):
        """Variables for a client."""
        return {"KUBECONFIG": str(self.settings), "PATH": os.environ["PATH"]}

    def stop(self):
        """End the server, and jobs that still run."""
        self._server.shutdown()
        self._server.server_close()
        for process in self._processes.values():
            process.kill()
            process.wait()
