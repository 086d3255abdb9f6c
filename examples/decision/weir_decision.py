"""Asks Weir before spending, settles what was used: WEIR_URL and WEIR_KEY in the environment, Python 3.11, no packages."""
import json
import os
import urllib.error
import urllib.request

URL = os.environ.get("WEIR_URL", "http://127.0.0.1:8080")


def call(name, body):
    request = urllib.request.Request(
        f"{URL}/weir/v1/{name}", json.dumps(body).encode(), method="POST",
        headers={"Authorization": f"Bearer {os.environ['WEIR_KEY']}", "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        raise SystemExit(f"{name}: {refused.code} {json.load(refused)['detail']}") from None


def work():
    return "a haiku about rivers", {"input_tokens": 880, "output_tokens": 412}


hold = call("admit", {"model": "gpt-4o", "estimate": {"input_tokens": 900, "output_tokens": 500}, "hold": "60s"})
try:
    answer, usage = work()
except BaseException:
    call("cancel", {"id": hold["id"]})  # nothing was used: everything is given back
    raise
settled = call("settle", {"id": hold["id"], "usage": usage})
print(json.dumps({"answer": answer, "usd": settled["usd_micros"] / 1e6, "settled": settled["settled"]}))
