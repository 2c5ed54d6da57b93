#!/usr/bin/python3
"""An S3 service as loose as the loosest: it checks neither signature nor body, and what it does with conditions can be chosen.

    loose.py PORT-FILE [--ignore-conditions] [--absent-is-404] [--conflicts N] [--refuse STATUS:CODE]

Listens on a free port of loopback, writes it to PORT-FILE, ends when its stdin does. One bucket, `bucket`, path style.
--absent-is-404: an If-Match of an object that is not there is answered with 404, as AWS does, not 412.
--conflicts N: the first N writes are answered with 409. --refuse: everything is answered so, with an empty body where CODE is.
"""
import argparse
import hashlib
import http.server
import os
import sys
import threading
import urllib.parse
from xml.sax.saxutils import escape

objects, lock = {}, threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_args):
        pass

    def answer(self, status, body=b'', headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, code):
        self.answer(status, b'<?xml version="1.0"?><Error><Code>%s</Code><Message>as asked for</Message></Error>' % code.encode() if code else b'')

    def key(self):
        """The object's key, None where it was answered already."""
        if options.refuse:
            status, _colon, code = options.refuse.partition(':')
            self.refuse(int(status), code)
            return None
        parts = urllib.parse.urlsplit(self.path)
        bucket, _slash, key = parts.path.lstrip('/').partition('/')
        if bucket != 'bucket':
            self.refuse(404, 'NoSuchBucket')
            return None
        return urllib.parse.unquote(key)

    def do_GET(self):
        key = self.key()
        if key is None:
            return
        if not key:
            self.list()
            return
        with lock:
            data = objects.get(key)
        if data is None:
            self.refuse(404, 'NoSuchKey')
        else:
            self.answer(200, data, [('ETag', etag(data))])

    def list(self):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        prefix, found, common = query.get('prefix', ''), [], set()
        with lock:
            for key, data in sorted(objects.items()):
                rest = key[len(prefix):]
                if not key.startswith(prefix):
                    continue
                if query.get('delimiter') and '/' in rest:
                    common.add(prefix + rest.partition('/')[0] + '/')
                else:
                    found.append('<Contents><Key>%s</Key><ETag>%s</ETag><Size>%d</Size></Contents>' % (escape(key), etag(data).strip('"'), len(data)))
        # A page of two: whoever reads the first alone has not read all.
        everything = found + ['<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>' % escape(name) for name in sorted(common)]
        begin = int(query.get('continuation-token', '0'))
        page, more = everything[begin:begin + 2], len(everything) > begin + 2
        self.answer(200, ('<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>%s</IsTruncated>%s%s</ListBucketResult>' % (
            'true' if more else 'false', '<NextContinuationToken>%d</NextContinuationToken>' % (begin + 2) if more else '', ''.join(page))).encode())

    def do_PUT(self):
        data = self.rfile.read(int(self.headers.get('Content-Length', '0')))
        key = self.key()
        if key is None:
            return
        with lock:
            if options.conflicts:
                options.conflicts -= 1
                self.refuse(409, 'ConditionalRequestConflict')
                return
            here = objects.get(key)
            wanted = self.headers.get('If-Match')
            if not options.ignore_conditions:
                if self.headers.get('If-None-Match') == '*' and here is not None:
                    self.refuse(412, 'PreconditionFailed')
                    return
                if wanted and (here is None or etag(here) != wanted):
                    self.refuse(*((404, 'NoSuchKey') if here is None and options.absent_is_404 else (412, 'PreconditionFailed')))
                    return
            objects[key] = data
        self.answer(200, headers=[('ETag', etag(data))])

    def do_DELETE(self):
        key = self.key()
        if key is not None:
            with lock:
                objects.pop(key, None)
            self.answer(204)


def etag(data):
    return '"%s"' % hashlib.md5(data).hexdigest()


def main():
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(options.port_file + '.new', 'w', encoding='ascii') as out:
        out.write(str(server.server_port))
    os.rename(options.port_file + '.new', options.port_file)
    sys.stdin.read()


parser = argparse.ArgumentParser()
parser.add_argument('port_file')
parser.add_argument('--ignore-conditions', action='store_true')
parser.add_argument('--absent-is-404', action='store_true')
parser.add_argument('--conflicts', type=int, default=0)
parser.add_argument('--refuse', default='')
options = parser.parse_args()
main()
