#!/usr/bin/env bash
# Version: @openai/codex 0.171.0 from npm, `codex exec --json` with a model provider of one's own.
#
# Behaviour: a Responses request that is answered with 401, 403 or 404 and an error body of OpenAI's form is sent again
# as often as `stream_max_retries` says (here twice: three requests for one turn), one that is answered with 400 is sent
# once. `request_max_retries = 0` has no influence on it.
#
# Why it surprises: 401 and 403 cannot become right by asking again, and the option that is named after requests is
# not the one that counts them: whoever puts a door before a model has to answer 400 to be asked once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --no-save --prefix . @openai/codex@0.171.0
cat > asked.py <<'P'
import http.server
import json
import os
import subprocess
import threading

codes, counted = [400, 401, 403, 404], {}


class Door(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        code = int(self.path.split("/")[1])
        counted[code] = counted.get(code, 0) + 1
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.dumps({"error": {"message": "no", "type": "invalid_request_error", "code": "refused"}}).encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
threading.Thread(target=server.serve_forever, daemon=True).start()
program = os.path.join(os.getcwd(), "node_modules", ".bin", "codex")
for code in codes:
    home = os.path.join(os.getcwd(), f"home-{code}")
    os.makedirs(os.path.join(home, "codex"))
    with open(os.path.join(home, "codex", "config.toml"), "w") as settings:
        settings.write(
            'model = "gpt-5"\nmodel_provider = "own"\n[model_providers.own]\nname = "own"\n'
            f'base_url = "http://127.0.0.1:{server.server_port}/{code}/v1"\nenv_key = "OWN_KEY"\nwire_api = "responses"\n'
            "request_max_retries = 0\nstream_max_retries = 2\n"
        )
    subprocess.run(
        [program, "exec", "--json", "--skip-git-repo-check", "say hello"],
        env={"PATH": os.environ["PATH"], "HOME": home, "CODEX_HOME": os.path.join(home, "codex"), "OWN_KEY": "key"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=120,
    )
version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip()
print(version, "requests for one turn by the code of the answer:", counted)
raise SystemExit(0 if counted == {400: 1, 401: 3, 403: 3, 404: 3} else "the behaviour has changed")
P
python3 asked.py
