"""A server of S3 on this machine, for tests."""

import os
import socket
import subprocess
import sys

from project import wait_until

BUCKET = "study"


class Store:
    """The server, with one bucket and one user who may use it."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        port = self.address.rpartition(":")[2]
        self.log = (folder / "server.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port],
            # What makes the user needs no credentials; afterwards the server checks those of each request.
            env=os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": "3"},
            stdout=self.log,
            stderr=self.log,
        )
        wait_until(self._answers)
        iam = self._client("iam", "none", "none")
        iam.create_user(UserName="researcher")
        policy = (
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
        )
        iam.put_user_policy(UserName="researcher", PolicyName="all", PolicyDocument=policy)
        key = iam.create_access_key(UserName="researcher")["AccessKey"]
        self.env = self.environment(key["AccessKeyId"], key["SecretAccessKey"])
        self.objects = self._client("s3", key["AccessKeyId"], key["SecretAccessKey"])
        self.objects.create_bucket(Bucket=BUCKET)

    def _client(self, service, key, secret):
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.address,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            region_name="us-east-1",
        )

    def _answers(self):
        port = int(self.address.rpartition(":")[2])
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", port)) == 0

    def environment(self, key, secret, address=None):
        return os.environ | {
            "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": address or self.address,
            "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": key,
            "SNAKEMAKE_STORAGE_S3_SECRET_KEY": secret,
        }

    def names(self):
        pages = self.objects.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def stop(self):
        self._process.terminate()
        self._process.wait()
        self.log.close()
