"""A server of this machine that serves one file, and misbehaves when it is told to."""

import contextlib
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get('Range')))
        fault = server.faults.pop(0) if server.faults else None
        content = server.files.get(self.path, server.content)
        if isinstance(fault, int):
            self.send_error(fault)
            return
        if isinstance(fault, str) and fault.startswith(('http:', 'https:', 'file:', 'ftp:')):
            self.send_response(302)
            self.send_header('Location', fault)
            self.end_headers()
            return
        wanted = re.fullmatch(r'bytes=(\d+)-', self.headers.get('Range') or '')
        same = self.headers.get('If-Range') in (None, server.version)
        first = int(wanted[1]) if wanted and same and fault != 'no ranges' else 0
        if first >= len(content):
            self.send_response(416)
            if fault != 'no length':
                self.send_header('Content-Range', f'bytes */{len(content)}')
            self.end_headers()
            return
        sent = content[first:]
        if fault == 'corrupt':
            sent = bytes([sent[0] ^ 1]) + sent[1:]
        self.send_response(206 if first else 200)
        if first:
            self.send_header('Content-Range', f'bytes {first}-{len(content) - 1}/{len(content)}')
        length = len(sent) + {'claims more': 100, 'claims less': -100}.get(fault, 0)
        if fault != 'no length':
            self.send_header('Content-Length', str(length))
        if server.version is not None:
            self.send_header('ETag', server.version)
        self.end_headers()
        if fault == 'truncate':
            sent = sent[: len(sent) // 2]
        if fault == 'stall':
            self.wfile.write(sent[: len(sent) // 2])
            self.wfile.flush()
            time.sleep(2)
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(sent)


class Loopback(ThreadingHTTPServer):
    """Serves ``content``, or what ``files`` has for the path.

    ``faults`` are taken one for each request: a status, an address to redirect to, or a name. ``version`` is its ETag.
    """

    daemon_threads = True

    def __init__(self, content=b''):
        super().__init__(('127.0.0.1', 0), _Handler)
        self.content, self.files, self.faults, self.requests = content, {}, [], []
        self.version = None
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self):
        return f'http://127.0.0.1:{self.server_address[1]}'
