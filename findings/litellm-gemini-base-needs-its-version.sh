#!/usr/bin/env bash
# Version: litellm 1.81.10 (the one that aider-chat 0.86.2 asks for), `completion(model="gemini/...", api_base=...)`.
#
# Behaviour: with `api_base="http://host"` the request goes to `/models/NAME:generateContent`; the version of the API,
# which the path has when no base is given (`/v1beta/models/...`), is left out. Only a base that ends with `/v1beta`
# gives the path of Google's own description. With `anthropic/...` and the same base, `/v1/messages` is added.
#
# Why it surprises: the base without a path is what Google's own SDK and command line take for the same address
# (`GOOGLE_GEMINI_BASE_URL`), and what litellm itself takes for Anthropic: one address, and two rules in one library.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check litellm==1.81.10
cat > asked.py <<'P'
import http.server
import threading
from importlib.metadata import version

import litellm

paths = []


class Door(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        paths.append(self.path.split("?")[0])
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(400)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"
for model, address in (("gemini/gemini-2.5-flash", base), ("gemini/gemini-2.5-flash", f"{base}/v1beta"), ("anthropic/claude-sonnet-4-5", base)):
    try:
        litellm.completion(model=model, api_base=address, api_key="key", messages=[{"role": "user", "content": "hi"}], num_retries=0)
    except Exception as refused:
        print(model, address.removeprefix(base) or "(no path)", type(refused).__name__)
print("litellm", version("litellm"), "asked for", paths)
expected = [
    "/models/gemini-2.5-flash:generateContent",
    "/v1beta/models/gemini-2.5-flash:generateContent",
    "/v1/messages",
]
raise SystemExit(0 if paths == expected else "the behaviour has changed")
P
venv/bin/python asked.py 2>&1 | grep -v "^$\|Give Feedback\|LiteLLM.Info\|Provider List"
