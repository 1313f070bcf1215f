"""Serves the token of an auth URL to ably-python, for as long as a case takes."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer


class Served:
    """Serves one answer on a free port of loopback, for as long as it is entered."""

    def __init__(self, content_type, body):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                text = body.encode()
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}/auth"

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
