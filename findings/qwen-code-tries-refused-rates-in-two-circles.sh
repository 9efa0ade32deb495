#!/usr/bin/env bash
# Version: @qwen-code/qwen-code 0.24.4 from npm, headless (`-o stream-json`), with a model that is served elsewhere.
#
# Behaviour: a request that is answered with 429 is tried seven times, with growing pauses, and then all of it again:
# some forty requests within 200 seconds, and no end. Its stream of events tells of a retry (`system`, `retry`) a few
# times meanwhile: of the outer circle alone. With `model.generationConfig.maxRetries: 0` in its settings it ends with an
# error after the seven.
#
# Why it surprises: a setting of retries that is 0 leaves seven of them, two layers of retries multiply, and what the
# events count as one retry are seven requests: a limit on requests that is read off them is met seven times too late.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --no-save --prefix . @qwen-code/qwen-code@0.24.4 node@22.20.0
cat > tried.py <<'P'
import http.server
import json
import os
import subprocess
import threading
import time

PATIENCE = 200
counted = {"as it is": 0, "with maxRetries 0": 0}


class Door(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        counted["with maxRetries 0" if "/zero/" in self.path else "as it is"] += 1
        body = json.dumps({"error": {"message": "slow down", "type": "rate_limit_error"}}).encode()
        self.send_response(429)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def started(name, place, model):
    home = os.path.join(os.getcwd(), place)
    os.makedirs(os.path.join(home, ".qwen"))
    settings = {"telemetry": {"enabled": False}, "general": {"enableAutoUpdate": False}, "model": model}
    with open(os.path.join(home, ".qwen", "settings.json"), "w") as file:
        json.dump({**settings, "privacy": {"usageStatisticsEnabled": False}}, file)
    here = os.path.join(os.getcwd(), "node_modules", ".bin")
    words = [os.path.join(here, "qwen"), "-y", "--auth-type", "openai", "-m", "gpt-5.5", "-o", "stream-json", "-p", "say hello"]
    env = {"PATH": f"{here}:{os.environ['PATH']}", "HOME": home, "OPENAI_API_KEY": "key", "OPENAI_MODEL": "gpt-5.5"}
    env["OPENAI_BASE_URL"] = f"http://127.0.0.1:{server.server_port}/{place}/v1"
    with open(os.path.join(home, "events"), "w") as events:
        return name, subprocess.Popen(words, env=env, cwd=home, stdin=subprocess.DEVNULL, stdout=events, stderr=events)


def told(place):
    with open(os.path.join(os.getcwd(), place, "events")) as events:
        lines = [line for line in events if line.startswith("{")]
    return ["/".join(str(json.loads(line).get(key, "")) for key in ("type", "subtype")) for line in lines]


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
threading.Thread(target=server.serve_forever, daemon=True).start()
running = [started("as it is", "usual", {}), started("with maxRetries 0", "zero", {"generationConfig": {"maxRetries": 0}})]
until = time.monotonic() + PATIENCE
while time.monotonic() < until and any(process.poll() is None for _, process in running):
    time.sleep(0.5)
ended = {name: process.poll() is not None for name, process in running}
for _, process in running:
    process.kill()
    process.wait()
print(f"Qwen Code 0.24.4, requests within {PATIENCE} seconds:", counted, "ended:", ended, "retries told:", told("usual").count("system/retry"))
retries = told("usual").count("system/retry")
multiplied = counted["with maxRetries 0"] == 7 < counted["as it is"] and 0 < retries < counted["as it is"] / 7
right = multiplied and ended == {"as it is": False, "with maxRetries 0": True}
raise SystemExit(0 if right else "the behaviour has changed")
P
python3 tried.py
