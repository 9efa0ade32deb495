// Reporter for Vitest: https://vitest.dev/advanced/api/reporters (`onFinished` for versions before 3).
import { createRequire } from 'node:module';

const { begin, thrown } = createRequire(import.meta.url)('./junit.cjs');

const OUTCOMES = { passed: 'passed', pass: 'passed', failed: 'failed', fail: 'failed' };

export default class {
  onInit() {
    this.write = begin();
  }

  onTestRunEnd(modules, unhandled = []) {
    const cases = [];
    const errors = unhandled.map(thrown);
    for (const module of modules) {
      errors.push(...module.errors().map(thrown));
      for (const test of module.children.allTests()) {
        const { state, errors: failures = [] } = test.result();
        const outcome = OUTCOMES[state] ?? 'skipped';
        const line = test.location?.line;
        cases.push({ file: module.moduleId, line, name: test.fullName, outcome, ...(failures[0] ? thrown(failures[0]) : {}) });
      }
      for (const suite of module.children.allSuites()) errors.push(...suite.errors().map(thrown));
    }
    this.finish(cases, errors);
  }

  onFinished(files = [], unhandled = []) {
    const cases = [];
    const errors = unhandled.map(thrown);
    const walk = (task, names, file) => {
      const inside = [...names, task.name];
      if (task.type === 'test' || task.type === 'custom') {
        const [failure] = task.result?.errors ?? [];
        const outcome = OUTCOMES[task.result?.state] ?? 'skipped';
        cases.push({ file, name: inside.join(' > '), outcome, ...(failure ? thrown(failure) : {}) });
      } else {
        errors.push(...(task.result?.errors ?? []).map(thrown));
        for (const one of task.tasks ?? []) walk(one, inside, file);
      }
    };
    for (const file of files) {
      errors.push(...(file.result?.errors ?? []).map(thrown));
      for (const task of file.tasks) walk(task, [], file.filepath);
    }
    this.finish(cases, errors);
  }

  finish(cases, errors) {
    if (!this.finished) this.write(cases, errors);
    this.finished = true;
  }
}
