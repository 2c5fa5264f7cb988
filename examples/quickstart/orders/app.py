"""orders: an HTTP app with nothing but Python's standard library.

It is called by name, calls `checkout` by name, keeps state, receives a topic and uses an actor that lives in `checkout`.
Everything goes through its own sidecar on DAPR_HTTP_PORT; it knows no address of any other app, store or broker.
"""

import http.client
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIDECAR_PORT = int(os.environ.get("DAPR_HTTP_PORT", "3500"))
APP_PORT = int(os.environ.get("APP_PORT", "6001"))

lock = threading.Lock()
seen = {"calls": [], "events": []}


def sidecar(verb, path, body=None, headers=None):
    """Calls this app's own sidecar; returns (status, JSON value or text, headers)."""
    connection = http.client.HTTPConnection("127.0.0.1", SIDECAR_PORT, timeout=30)
    try:
        data = None if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json", **(headers or {})}
        connection.request(verb, path, body=data, headers=sent)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    try:
        value = json.loads(text) if text else None
    except ValueError:
        value = text
    return answer.status, value, answer.headers


def take_order(order, caller):
    """Prices an order, keeps it in the state store and reads it back."""
    # By header this time: any path of another app, with the app's name in `dapr-app-id`.
    status, price, _ = sidecar("GET", f"/price?item={order['item']}", headers={"dapr-app-id": "checkout"})
    if status != 200:
        raise RuntimeError(f"checkout did not name a price: {status} {price}")
    key = f"order-{order['id']}"
    stored = {**order, "total": price["price"] * order["quantity"], "caller": caller}
    status, answer, _ = sidecar("POST", "/v1.0/state/statestore", [{"key": key, "value": stored}])
    if status != 204:
        raise RuntimeError(f"the state store did not take {key}: {status} {answer}")
    status, back, headers = sidecar("GET", f"/v1.0/state/statestore/{key}")
    if status != 200:
        raise RuntimeError(f"the state store did not give {key} back: {status} {back}")
    with lock:
        seen["calls"].append({"caller": caller, "order": order})
    return {"key": key, "stored": back, "etag": headers.get("etag")}


def add_to_cart(cart, line):
    """Calls an actor: its name is its address, wherever it lives."""
    return sidecar("POST", f"/v1.0/actors/CartActor/{cart}/method/add", [line["item"], line["quantity"]])[:2]


def take_event(event):
    with lock:
        seen["events"].append({"id": event["id"], "source": event["source"], "data": event["data"]})
    print(f"event {event['id']} from {event['source']}: {json.dumps(event['data'])}")
    return {"status": "SUCCESS"}


class Orders(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The head and the body of an answer go out as two writes; without this the second waits for the first one's ACK.
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == "/dapr/subscribe":
            return self.reply(200, [{"pubsubname": "pubsub", "topic": "shipments", "route": "/shipments"}])
        if self.path == "/seen":
            with lock:
                return self.reply(200, seen)
        return self.reply(404, {"error": f"orders has no {self.path}"})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"null")
        try:
            if self.path == "/checkout":
                print(f"checkout of {json.dumps(body)} for {self.headers['dapr-caller-app-id']}")
                return self.reply(200, take_order(body, self.headers["dapr-caller-app-id"]))
            if self.path == "/shipments":
                return self.reply(200, take_event(body))
            if self.path.startswith("/cart/"):
                return self.reply(*add_to_cart(self.path.removeprefix("/cart/"), body))
        except Exception as problem:  # an app that fails says so to its caller
            return self.reply(500, {"error": str(problem)})
        return self.reply(404, {"error": f"orders has no {self.path}"})

    def reply(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    print(f"orders listens on {APP_PORT}, its sidecar on {SIDECAR_PORT}")
    ThreadingHTTPServer(("127.0.0.1", APP_PORT), Orders).serve_forever()
