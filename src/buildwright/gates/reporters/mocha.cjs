// Follows Mocha's runner beside whatever reporter the project has: https://mochajs.org/api/runner
'use strict';
const { begin, thrown } = require('./junit.cjs');

const followed = new WeakSet();

exports.follow = (Runner) => {
  const { run } = Runner.prototype;
  Runner.prototype.run = function (...given) {
    if (followed.has(this)) return run.apply(this, given);
    followed.add(this);
    const write = begin();
    const cases = [];
    const add = (outcome) => (test, error) => {
      const failure = outcome === 'failed' ? thrown(error) : {};
      cases.push({ file: test.file, name: test.titlePath().join(' > '), outcome, ...failure });
    };
    this.on('pass', add('passed')).on('pending', add('skipped')).on('fail', add('failed'));
    this.on('end', () => write(cases, []));
    return run.apply(this, given);
  };
};
