"""Stores that speak HTTP: nginx, and one that is wrong on purpose."""
import contextlib
import hashlib
import http.server
import os
import re
import socket
import socketserver
import subprocess
import threading
import time

import harness

NGINX = """\
daemon off;
worker_processes 1;
pid %(top)s/pid;
error_log %(top)s/error.log;
events { worker_connections 512; }
http {
    access_log %(top)s/access.log;
    client_body_temp_path %(top)s/body;
    proxy_temp_path %(top)s/proxy;
    fastcgi_temp_path %(top)s/fastcgi;
    uwsgi_temp_path %(top)s/uwsgi;
    scgi_temp_path %(top)s/scgi;
    keepalive_requests 100000;
    server {
        listen 127.0.0.1:%(port)d%(ssl)s;
        %(more)s
        client_max_body_size 100m;
        location / {
            root %(top)s/data;
            dav_methods PUT;
            create_full_put_path on;
        }
    }
}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Nginx:
    def __init__(self, top, more="", certificate=None):
        self.top, self.port = top, free_port()
        os.makedirs(top + "/data")
        os.chmod(top + "/data", 0o777)
        ssl = ""
        if certificate:
            ssl = " ssl"
            more += "ssl_certificate %s.crt; ssl_certificate_key %s.key;" % (
                certificate, certificate)
        with open(top + "/conf", "w") as f:
            f.write(NGINX % {"top": top, "port": self.port, "ssl": ssl,
                             "more": more})
        self.url = "http%s://localhost:%d/x" % ("s" if certificate else "",
                                                self.port)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["nginx", "-c", self.top + "/conf", "-p", self.top,
             "-e", self.top + "/error.log"],
            stdin=subprocess.DEVNULL)
        harness.wait_for(self.is_up, 10, "nginx listens")

    def is_up(self):
        assert self.process.poll() is None, "nginx has ended"
        with contextlib.suppress(OSError), \
                socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    def requests(self):
        with open(self.top + "/access.log") as f:
            return f.read().splitlines()

    def objects(self):
        return sorted(os.path.join(d, n) for d, _, names in
                      os.walk(self.top + "/data") for n in names)


@contextlib.contextmanager
def nginx(top, more="", certificate=None):
    n = Nginx(top, more, certificate)
    try:
        yield n
    finally:
        n.stop()


def make_certificate(stem):
    """STEM.key and STEM.crt, which signs itself, for localhost."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", stem + ".key", "-out",
         stem + ".crt"], check=True, stderr=subprocess.DEVNULL)
    return stem


class Wrong(socketserver.ThreadingTCPServer):
    """Answers every request in one wrong way."""
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, how):
        self.how, self.n, self.heads = how, 0, []
        super().__init__(("127.0.0.1", 0), Talk)
        self.url = "http://127.0.0.1:%d/x" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # the client went away: that is what is tested


class Talk(socketserver.BaseRequestHandler):
    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.request.recv(65536)
            if not more:
                return
            head += more
        self.server.n += 1
        self.server.heads.append(head)
        self.server.how(self.request)


def status(line, *headers):
    def how(s):
        s.sendall("\r\n".join(["HTTP/1.1 " + line, "Content-Length: 0",
                               "Connection: close", *headers, "", ""])
                  .encode())
    return how


def body(data, says=None):
    def how(s):
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
                  % (len(data) if says is None else says))
        s.sendall(data)
    return how


def silence(s):
    time.sleep(60)


def drip(s):
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(60):
        s.sendall(b"x")
        time.sleep(1)


def reset(s):
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nPXC1")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                 b"\1\0\0\0\0\0\0\0")
    s.close()


def flood(s):
    s.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    for _ in range(200):
        s.sendall(bytes(1 << 20))


def nonsense(s):
    s.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" + bytes(range(256)) * 10)
    s.close()


class S3(socketserver.ThreadingTCPServer):
    """A bucket in memory, which takes what botocore would have signed so, and
    nothing else."""
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, key_id, secret, token=None):
        from botocore.credentials import Credentials
        self.credentials = Credentials(key_id, secret, token)
        self.objects, self.refused = {}, 0
        super().__init__(("127.0.0.1", 0), S3Request)
        self.endpoint = "http://127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class S3Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30

    def log_message(self, *args):
        pass

    def is_signed(self, body):
        """Signs the same request anew."""
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        said = self.headers.get("Authorization", "")
        m = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([\w-]+)/s3/"
            r"aws4_request, SignedHeaders=([\w;-]+), Signature=(\w+)", said)
        if not m or self.headers["x-amz-content-sha256"] != \
                hashlib.sha256(body).hexdigest():
            return False
        auth = S3SigV4Auth(self.server.credentials, "s3", m.group(3))
        request = AWSRequest(self.command, "http://" + self.headers["Host"] +
                             self.path, data=body)
        for name in m.group(4).split(";"):
            request.headers[name] = self.headers[name]
        request.context["timestamp"] = self.headers["x-amz-date"]
        text = auth.string_to_sign(request, auth.canonical_request(request))
        return m.group(1) == self.server.credentials.access_key and \
            auth.signature(text, request) == m.group(5)

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self):
        if not self.is_signed(self.body()):
            self.server.refused += 1
            return self.answer(403)
        found = self.server.objects.get(self.path)
        return self.answer(404) if found is None else self.answer(200, found)

    def do_PUT(self):
        body = self.body()
        if not self.is_signed(body):
            self.server.refused += 1
            return self.answer(403)
        self.server.objects[self.path] = body
        return self.answer(200)
