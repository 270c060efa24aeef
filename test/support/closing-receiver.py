# A receiver over TLS that closes its side alone: it says close_notify, keeps the connection, and tells what comes then.
# Arguments: directory of its identity, TLSv1_2 or TLSv1_3. A line on standard input has it close. On standard output, a line each:
#   port N · message TEXT · closing · answered · broken REASON · fin · more BYTES

import re
import select
import socket
import ssl
import sys


def say(*words):
    # One write for a line, whatever PYTHONUNBUFFERED says.
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def closed_in_order(connection):
    """unwrap() says close_notify and waits for the other side's; what it cannot stand is anything else before that."""
    say("closing")
    try:
        raw = connection.unwrap()
    except OSError as error:
        say("broken", error)
        connection.close()
        return
    say("answered")
    raw.settimeout(20)
    rest = raw.recv(100)
    say("fin" if rest == b"" else f"more {len(rest)}")
    raw.close()


def serve(connection):
    held = b""
    while True:
        while True:
            frame = re.match(rb"(\d+) ", held)
            if frame is None or len(held) < frame.end() + int(frame[1]):
                break
            end = frame.end() + int(frame[1])
            say("message", held[frame.end() : end].decode())
            held = held[end:]
        if connection.pending() == 0:
            ready, _, _ = select.select([connection, sys.stdin], [], [])
            if sys.stdin in ready:
                sys.stdin.readline()
                closed_in_order(connection)
                return
        chunk = connection.recv(65536)
        if chunk == b"":
            connection.close()
            return
        held += chunk


directory, version = sys.argv[1:3]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{directory}/cert.pem", f"{directory}/key.pem")
context.load_verify_locations(f"{directory}/ca.pem")
context.verify_mode = ssl.CERT_REQUIRED
context.maximum_version = ssl.TLSVersion[version]
listener = socket.create_server(("127.0.0.1", 0))
say("port", listener.getsockname()[1])
while True:
    accepted, _ = listener.accept()
    try:
        serve(context.wrap_socket(accepted, server_side=True))
    except OSError as error:
        say("broken", error)
