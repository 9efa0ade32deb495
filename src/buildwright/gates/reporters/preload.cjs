// Loaded by every Node process of a check: where the process is a test runner, adds a report to what it prints.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { isMainThread } = require('node:worker_threads');

const beside = (name) => path.join(__dirname, name);

const has = (option) => process.argv.some((one) => one === option || one.startsWith(`${option}=`));

// What the runner starts is the project's own and gets the environment that it would have without this file.
function leave() {
  const rest = (process.env.NODE_OPTIONS ?? '').split(`--require "${__filename}"`).join('').trim();
  if (rest) process.env.NODE_OPTIONS = rest;
  else delete process.env.NODE_OPTIONS;
}

function mainFile() {
  try {
    return fs.realpathSync(process.argv[1] ?? '').split(path.sep).join('/');
  } catch {
    return '';
  }
}

// Node reads its own options before any file is loaded, so the runner is started again with ours added.
function againWithReport() {
  const given = process.execArgv;
  const count = (option) => given.filter((one) => one === option || one.startsWith(`${option}=`)).length;
  const reporters = count('--test-reporter');
  const added = reporters === 0 ? ['--test-reporter=spec'] : [];
  if (reporters <= 1 && count('--test-reporter-destination') === 0) added.push('--test-reporter-destination=stdout');
  added.push(`--test-reporter=${beside('node.cjs')}`, '--test-reporter-destination=/dev/null');
  const { spawnSync } = require('node:child_process');
  const ended = spawnSync(process.execPath, [...given, ...added, ...process.argv.slice(1)], { stdio: 'inherit' });
  process.exit(ended.status ?? 1);
}

const [major, minor] = process.versions.node.split('.').map(Number);
const hasReporters = major > 19 || (major === 19 && minor >= 6) || (major === 18 && minor >= 15);

if (isMainThread && !process.env.NODE_TEST_CONTEXT) {
  const main = mainFile();
  if (process.execArgv.includes('--test') && !process.execArgv.includes('--watch')) {
    leave();
    if (hasReporters) againWithReport();
  } else if (/\/jest(-cli)?\/bin\/jest\.js$/.test(main)) {
    leave();
    if (!has('--testResultsProcessor')) process.argv.splice(2, 0, `--testResultsProcessor=${beside('jest.cjs')}`);
  } else if (/\/vitest\/vitest\.mjs$/.test(main)) {
    leave();
    const added = [...(has('--reporter') ? [] : ['--reporter=default']), `--reporter=${beside('vitest.mjs')}`];
    const end = process.argv.indexOf('--');
    process.argv.splice(end < 0 ? process.argv.length : end, 0, ...added);
  } else if (/\/mocha\/bin\/_?mocha(\.js)?$/.test(main)) {
    leave();
    const { follow } = require(beside('mocha.cjs'));
    for (const name of ['runner.js', 'nodejs/parallel-buffered-runner.js']) {
      const file = path.join(path.dirname(main), '..', 'lib', name);
      if (fs.existsSync(file)) follow(require(file));
    }
  }
}
