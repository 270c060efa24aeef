// A relay with every destination of its host: each gets what it chooses, a broken one stops none, and a signal opens moved files anew.

import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { Chain, linesOf } from '../support/chain.ts'
import { eventually } from '../support/eventually.ts'
import { sendOne } from '../support/send-one.ts'

test('files, pipe, program and a socket that is not there, on one relay', async (t) => {
  const chain = await Chain.make(t)
  const pipe = chain.place('pipe')
  execFileSync('mkfifo', [pipe])
  const files = chain.relayOptions['destinations'] as object[]
  files.push(
    { pipe },
    { program: `exec cat >> ${chain.place('program')}`, select: '*.notice' },
    { files: chain.place('chosen/$PROGRAM'), select: 'news.*' },
    { unix: chain.place('nobody') },
    { users: 'nobody-of-this-name' },
    { discard: true },
  )
  await chain.startRelay()
  await chain.startAgent()
  for (let index = 1; index <= 100; index++) sendOne(chain, `message ${index}`)
  await chain.lines(100)
  const reader = spawn('sh', ['-c', `exec cat ${pipe} > ${chain.place('read')}`])
  t.teardown(() => void reader.kill('SIGKILL'))
  const count = (file: string) => (fs.existsSync(file) ? linesOf(file).length : 0)
  await eventually('the pipe', () => count(chain.place('read')) === 100)
  await eventually('the program', () => count(chain.place('program')) === 100)
  t.false(fs.existsSync(path.join(chain.directory, 'chosen')), 'nothing is made where nothing is chosen')
  t.regex(chain.relay.said, /destination-failed: .*nobody listens there/)
  fs.renameSync(chain.file, `${chain.file}.1`)
  chain.relay.signal('SIGUSR1')
  sendOne(chain, 'message 101')
  await eventually('a new file', () => count(chain.file) === 1)
  t.is(count(`${chain.file}.1`), 100)
  await chain.agent.end('SIGTERM')
  t.deepEqual(await chain.relay.end('SIGTERM'), { code: 0, signal: null })
  t.is(count(chain.place('program')), 101)
})
