"""A server of Git LFS: gives the objects of a folder, by their SHA-256, to whoever asks.

Passwords are the business of the server before it. Arguments: the port, the folder.
"""

import http.server
import json
import pathlib
import sys

FOLDER = pathlib.Path(sys.argv[2])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        base = f"http://{self.headers['host']}/objects/"
        objects = [
            wanted
            | {"authenticated": True, "actions": {"download": {"href": base + wanted["oid"]}}}
            for wanted in asked["objects"]
        ]
        text = json.dumps({"transfer": "basic", "objects": objects}).encode()
        self._answer(text, "application/vnd.git-lfs+json")

    def do_GET(self):
        path = FOLDER / self.path.rsplit("/", 1)[1]
        if path.exists():
            self._answer(path.read_bytes(), "application/octet-stream")
        else:
            self.send_error(404)

    def _answer(self, body, kind):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
