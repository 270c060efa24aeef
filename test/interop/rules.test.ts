// FreeBSD's own syslog.conf at work in rsyslogd and, imported, in the agent: the same messages, the same files, line by line.

import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { AGENT_NAME, Chain, linesOf } from '../support/chain.ts'
import { Daemon, watched } from '../support/daemon.ts'
import { eventually } from '../support/eventually.ts'
import { FREEBSD_DEFAULT } from '../support/freebsd-default.ts'
import { importedConfig, movedConf } from '../support/imported.ts'
import { rsyslogArguments, rsyslogConf } from '../support/rsyslog-conf.ts'

/** Each line goes to both sockets from the same process, whose number both write. */
const SEND = `
import socket, sys
sockets = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in sys.argv[1:]]
for one, path in zip(sockets, sys.argv[1:]): one.connect(path)
for line in sys.stdin.buffer.read().split(bytes(1)):
  for one in sockets: one.send(line)
`
const TEXTS = ['plain', 'a tab\there', 'Grüße, 日本', '  two spaces before', 'an escape \u001b[1m and a bell \u0007', '#011 is no tab']

test('each facility and level, and texts of every kind, are written to the same files as the same lines', async (t) => {
  const chain = await Chain.make(t)
  const conf = movedConf(chain, FREEBSD_DEFAULT).replace('/dev/console', chain.place('var/log/console'))
  const config = await importedConfig(t, chain, conf, 'linux')
  const rsyslog = chain.place('rsyslog')
  fs.mkdirSync(rsyslog)
  const theirs = conf.replaceAll(chain.place('var/log'), rsyslog)
  const socket = path.join(rsyslog, 'socket')
  const file = path.join(rsyslog, 'conf')
  const name = AGENT_NAME.split('.')[0]
  fs.writeFileSync(file, rsyslogConf(`$LocalHostName ${name}\n${theirs}*.*\t${rsyslog}/all\n`, socket, 'UsePIDFromSystem="on"'))
  const child = spawn('/usr/sbin/rsyslogd', rsyslogArguments(file, rsyslog), { stdio: ['ignore', 'ignore', 'pipe'] })
  void watched(t, child)
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  await eventually(
    'the socket of rsyslogd',
    () => fs.existsSync(socket),
    () => said,
  )
  chain.agent = Daemon.spawn(t, 'agent', config)
  await chain.agent.event('started')
  const messages = Array.from({ length: 192 }, (_, pri) => `<${pri}>Nov 23 02:50:00 tag[7]: number ${pri}.`)
  for (const text of TEXTS) messages.push(`<13>Nov  3 02:50:00 app: ${text}`, `<22>Nov  3 02:50:00 postfix/smtpd[1]: ${text}`)
  execFileSync('python3', ['-c', SEND, chain.socket, socket], { input: messages.join('\0') })
  await eventually(
    'all lines of rsyslogd',
    () => linesOf(path.join(rsyslog, 'all')).filter((line) => / (tag|app|postfix)/.test(line)).length >= messages.length,
    () => said,
  )
  await chain.agent.end('SIGTERM')
  child.kill('SIGTERM')
  await new Promise((resolve) => child.once('exit', resolve))
  const files = ['console', 'messages', 'security', 'auth.log', 'maillog', 'lpd-errs', 'cron']
  for (const one of files) {
    // Of its own start and end rsyslogd tells as well.
    const expected = linesOf(path.join(rsyslog, one)).filter((line) => !/ rsyslogd: /.test(line))
    t.true(expected.length >= 7, one)
    t.deepEqual(linesOf(chain.place(`var/log/${one}`)), expected, one)
  }
})
