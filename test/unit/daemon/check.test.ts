import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { checkSpool } from '../../../core/daemon/check.ts'
import { temporaryDirectory } from '../../support/chain.ts'

const NOBODY = 65534

test('a check by root leaves a spool that the user of the daemon can open', (t) => {
  if (process.getuid?.() !== 0) {
    t.pass('wants root')
    return
  }
  const state = path.join(temporaryDirectory(t), 'state')
  fs.mkdirSync(state, { mode: 0o700 })
  fs.chownSync(state, NOBODY, NOBODY)
  fs.chmodSync(path.dirname(state), 0o755)
  const spool = path.join(state, 'spool')
  for (const time of ['first', 'second']) {
    t.true(checkSpool(spool).isGood, time)
    for (const made of [spool, path.join(spool, 'lock')]) t.is(fs.statSync(made).uid, NOBODY, made)
  }
  t.is(process.geteuid?.(), 0)
})
