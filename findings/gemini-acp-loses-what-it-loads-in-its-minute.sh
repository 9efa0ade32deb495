#!/usr/bin/env bash
# Version: @google/gemini-cli 0.61.0 from npm, `gemini --acp` (Agent Client Protocol, version 1).
#
# Behaviour: a conversation that another run loads (`session/load`) in the minute in which it was begun is lost. The call is
# refused ("No previous sessions found for this project."), then and later. Under the name of an earlier minute the file of
# such a conversation is loaded, and the next prompt goes on with it.
#
# Why it surprises: loading is reading. But the name of the file has the minute and the first eight digits of the
# conversation's id; the run that loads first begins a file of its own under that name, which writes an empty list of
# messages behind those that were said.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --no-save --prefix . @google/gemini-cli@0.61.0
cat > loaded.py <<'P'
import http.server
import json
import os
import pathlib
import subprocess
import threading
import time

FIRST, NEXT = "remember the word heron", "which word was it"
asked = []


class Model(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked.append(self.rfile.read(int(self.headers.get("content-length", 0))).decode())
        usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
        parts = {"role": "model", "parts": [{"text": "Understood."}]}
        answer = json.dumps({"candidates": [{"content": parts, "finishReason": "STOP"}], "usageMetadata": usage})
        streams = "stream" in self.path
        body = (f"data: {answer}\n\n" if streams else answer).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if streams else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Gemini:
    """One run of the program."""

    def __init__(self):
        self.process = subprocess.Popen(
            [program, "--acp", "--skip-trust", "-m", "gemini-2.5-flash"],
            cwd=top,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.number = 0

    def ask(self, method, **params):
        self.number += 1
        request = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if not line.startswith("{"):
                continue
            answer = json.loads(line)
            if answer.get("id") == self.number and "method" not in answer:
                return answer
        raise SystemExit(f"it ended at {method}")

    def say(self, session, text):
        return self.ask("session/prompt", sessionId=session, prompt=[{"type": "text", "text": text}])

    def end(self):
        self.process.kill()
        self.process.wait()


def begin(gemini, folder):
    """Begin a conversation about the folder; return its id and its file."""
    session = gemini.ask("session/new", cwd=str(folder), mcpServers=[])["result"]["sessionId"]
    gemini.say(session, FIRST)
    (file,) = home.glob(f".gemini/tmp/*/chats/session-*-{session[:8]}.json*")
    assert FIRST in file.read_text()
    return session, file


def load(folder, session):
    """Load it by another run, and say something; return what came of it."""
    answer = second.ask("session/load", sessionId=session, cwd=str(folder), mcpServers=[])
    asked.clear()
    second.say(session, NEXT)
    goes_on = any(FIRST in body and NEXT in body for body in asked)
    return answer.get("error", {}).get("data", {}).get("details", "loaded"), goes_on


def age(file):
    """Give the file of a conversation the name of an earlier minute."""
    file.rename(file.with_name(f"session-2026-01-01T00-00-{file.name[-14:]}"))


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
top = pathlib.Path.cwd()
program, home = top / "node_modules" / ".bin" / "gemini", top / "home"
same, earlier = top / "same", top / "earlier"
for made in (home / ".gemini", same, earlier):
    made.mkdir(parents=True)
settings = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
    "general": {"enableAutoUpdate": False},
}
(home / ".gemini" / "settings.json").write_text(json.dumps(settings))
environment = {
    "PATH": os.environ["PATH"],
    "HOME": str(home),
    "GEMINI_API_KEY": "key",
    "GOOGLE_GEMINI_BASE_URL": f"http://127.0.0.1:{server.server_port}",
    "GEMINI_CLI_TRUST_WORKSPACE": "true",
}
version = subprocess.run([program, "--version"], env=environment, capture_output=True, text=True).stdout.strip()
first, second = Gemini(), Gemini()
for one in (first, second):
    one.ask("initialize", protocolVersion=1, clientCapabilities={"fs": {}, "terminal": False})
while time.localtime().tm_sec > 40:
    time.sleep(1)
(lost, its_file), (kept, other_file) = (begin(first, folder) for folder in (same, earlier))
first.end()
age(other_file)
found = {"at once": load(same, lost), "under an earlier minute": load(earlier, kept)}
age(its_file)
found["the lost one later"] = load(same, lost)
second.end()
print("gemini", version, "what session/load says, and whether the next prompt goes on:", found)
refused = ("No previous sessions found for this project.", False)
expected = {"at once": refused, "under an earlier minute": ("loaded", True), "the lost one later": refused}
raise SystemExit(0 if found == expected else "the behaviour has changed")
P
timeout 100 python3 loaded.py
