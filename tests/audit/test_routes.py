"""Routes read from the source of FastAPI, Flask and Express, over files."""

from __future__ import annotations

import dataclasses
import json

import pytest

from buildwright.audit.python_routes import python_routes
from buildwright.audit.route import FileRoutes, route
from buildwright.audit.routes import linked
from buildwright.audit.script_routes import script_routes

PYTHON = {
    "app/main.py": "from fastapi import FastAPI\nfrom app.api import users\nfrom .api.items import router as items\n"
    "app = FastAPI()\napp.include_router(users.router, prefix='/api')\napp.include_router(items)\n"
    "@app.get('/health')\ndef h(): ...\n@app.websocket('/ws')\ndef w(): ...\n@app.get(PATH)\ndef dynamic(): ...\n",
    "app/api/users.py": "from fastapi import APIRouter\nrouter = APIRouter(prefix='/users')\n"
    "@router.get('/{user_id}')\ndef u(): ...\n@router.post('')\ndef v(): ...\n",
    "app/api/items.py": "from fastapi import APIRouter\nrouter = APIRouter()\n@router.delete('/items/{x:path}')\ndef u(): ...\n",
    "flask_app.py": "from flask import Flask, Blueprint\nbp = Blueprint('a', __name__, url_prefix='/bp')\napp = Flask(__name__)\n"
    "app.register_blueprint(bp)\n@bp.route('/x/<int:i>/', methods=['GET', 'POST'])\ndef x(i): ...\n",
}
SCRIPTS = {
    "s/app.js": "const express = require('express'); const app = express(); const r = require('./r');\n"
    "app.use('/v1', r); app.get('/a/:id', h); app.get('setting'); app.route('/chain').get(a).post(b);\n"
    "app.use('/v2', require('./r')); app.get(['/m', '/n'], h); app.get(`/t/${x}`, h); cache.get('/no', h);\n",
    "s/r.js": "const {Router} = require('express'); const router = Router(); router.put('/q', h); module.exports = router",
}


def routes(files: dict[str, FileRoutes]) -> set[str]:
    return {str(one) for one, _ in linked(files)}


def test_python_routes_are_found_over_files() -> None:
    files = {path: python_routes(text) for path, text in PYTHON.items()}
    assert routes(files) == {
        "GET /health",
        "GET /ws",
        "GET /api/users/{}",
        "POST /api/users",
        "DELETE /items/{}",
        "GET /bp/x/{}",
        "POST /bp/x/{}",
    }
    assert len(files["app/main.py"].dynamic) == 1


def test_express_routes_are_found_over_files() -> None:
    files = {path: script_routes(path, text.encode()) for path, text in SCRIPTS.items()}
    expected = {"GET /a/{}", "GET /chain", "POST /chain", "PUT /v1/q", "PUT /v2/q", "GET /m", "GET /n"}
    assert routes(files) == expected
    assert len(files["s/app.js"].dynamic) == 1


def test_a_file_that_cannot_be_parsed_has_no_routes() -> None:
    assert python_routes("def (:\n") == FileRoutes()


@pytest.mark.parametrize("path", PYTHON)
def test_what_is_kept_of_a_file_is_read_again(path: str) -> None:
    found = python_routes(PYTHON[path])
    assert FileRoutes.read(json.loads(json.dumps(dataclasses.asdict(found)))) == found


@pytest.mark.parametrize("path", ["/a/{id}", "/a/:id", "/a/<int:id>/", "a/{id:path}", "/a//{x}"])
def test_one_route_has_many_spellings(path: str) -> None:
    assert route("GET", path) == route("get", "/a/{}")
