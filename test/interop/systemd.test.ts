// The units, as systemd's own tools read them, and the programs started by systemd-socket-activate.

import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Chain, linesOf, temporaryDirectory } from '../support/chain.ts'
import { ENTRY } from '../support/daemon.ts'
import { eventually } from '../support/eventually.ts'
import { sendDatagrams } from '../support/local-sender.ts'
import { start } from '../support/programs.ts'

const FOLDER = fileURLToPath(new URL('../../systemd', import.meta.url))
const UNITS = fs.readdirSync(FOLDER).filter((name) => /\.(service|socket)$/.test(name))

/** What systemd-analyze may say at most of how exposed a service is: 0 to 10. */
const EXPOSURE_MAX = { 'loghop-agent.service': 2.5, 'loghop-relay.service': 1.5, 'loghop-pki.service': 1.5 } as const

test('systemd-analyze finds nothing wrong with any unit', (t) => {
  const root = temporaryDirectory(t)
  const place = path.join(root, 'usr/lib/systemd/system')
  fs.mkdirSync(path.dirname(place), { recursive: true })
  fs.cpSync('/usr/lib/systemd/system', place, { recursive: true, verbatimSymlinks: true })
  for (const program of ['usr/lib/loghop/node', 'bin/sh']) {
    fs.mkdirSync(path.dirname(path.join(root, program)), { recursive: true })
    fs.copyFileSync('/bin/true', path.join(root, program))
  }
  for (const unit of UNITS) fs.copyFileSync(path.join(FOLDER, unit), path.join(place, unit))
  const paths = UNITS.map((unit) => path.join(place, unit))
  const { status, stdout, stderr } = spawnSync('systemd-analyze', [`--root=${root}`, '--man=no', 'verify', ...paths], { encoding: 'utf8' })
  t.is(`${stdout}${stderr}`, '')
  t.is(status, 0)
  // And that it would have: a misspelt setting is named.
  fs.appendFileSync(paths[0]!, '\n[Service]\nProtectSistem=strict\n')
  t.regex(spawnSync('systemd-analyze', [`--root=${root}`, '--man=no', 'verify', ...paths], { encoding: 'utf8' }).stderr, /ProtectSistem/)
})

for (const [unit, limit] of Object.entries(EXPOSURE_MAX)) {
  test(`systemd-analyze calls ${unit} exposed by ${limit} at most`, (t) => {
    const printed = execFileSync('systemd-analyze', ['security', '--offline=yes', '--no-pager', path.join(FOLDER, unit)], {
      encoding: 'utf8',
    })
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+) /.exec(printed)?.[1])
    t.log(`${unit}: ${exposure}`)
    t.true(exposure <= limit, printed)
  })
}

test('every relaxation of a sandbox has its reason beside it', (t) => {
  const wanted = ['PrivateDevices', 'PrivateUsers', 'ProtectKernelLogs', 'ProcSubset', 'MemoryDenyWriteExecute', 'IPAddressDeny']
  for (const unit of Object.keys(EXPOSURE_MAX)) {
    const text = fs.readFileSync(path.join(FOLDER, unit), 'utf8')
    t.deepEqual(
      wanted.filter((setting) => !new RegExp(`^${setting}=|^# Not ${setting}=\\S*: `, 'm').test(text)),
      [],
      unit,
    )
  }
})

const FILTER = fileURLToPath(new URL('../support/with-unit-filter.py', import.meta.url))

/** Debian's own interpreter, which has Debian's modules. */
function underFilter(unit: string, ...command: readonly string[]): { status: number | null; printed: string } {
  const { status, stdout, stderr } = spawnSync('/usr/bin/python3', [FILTER, path.join(FOLDER, unit), ...command], { encoding: 'utf8' })
  return { status, printed: `${stdout}${stderr}` }
}

for (const unit of Object.keys(EXPOSURE_MAX)) {
  test.serial(`authority, relay and agent work with the system calls that ${unit} leaves them`, (t) => {
    const { status, printed } = underFilter(unit, process.execPath, ENTRY, 'demo', '--once')
    t.is(status, 0, printed)
    t.regex(printed, /hello from the demo/)
    t.regex(underFilter(unit, 'chroot', '/', 'true').printed, /Operation not permitted/)
  })
}

test.serial('the agent, started by the first message to a socket of systemd, brings that message too', async (t) => {
  const chain = await Chain.make(t)
  await chain.startRelay()
  const run = ['--datagram', '-l', chain.socket, process.execPath, ENTRY, 'agent', 'run', '--config', chain.agentConfig]
  const agent = start(t, 'systemd-socket-activate', run)
  await eventually('the socket', () => agent.said.includes('Listening on'))
  const texts = ['<13>app: the first', '<13>app: the second']
  t.is(sendDatagrams(chain.socket, texts), undefined)
  await eventually(
    'both messages',
    () => linesOf(chain.file).length === 2,
    () => agent.said,
  )
  t.deepEqual(
    linesOf(chain.file).map((line) => line.replace(/^.*: /, '')),
    ['the first', 'the second'],
  )
})
