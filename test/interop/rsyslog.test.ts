// rsyslog's omrelp over TLS to our relay: the command `syslog` of RELP, as its own library speaks it.

import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { Chain } from '../support/chain.ts'
import { eventually } from '../support/eventually.ts'

const COUNT = 10_000

test(`rsyslog delivers ${COUNT} messages over RELP and mutual TLS, each once and in order, and ends its session in order`, async (t) => {
  const chain = await Chain.make(t)
  const identity = await chain.issue('rsyslog-identity', { name: 'box7.example.com', role: 'agent' })
  await chain.startRelay()
  const input = chain.place('rsyslog-input')
  const configuration = chain.place('rsyslog.conf')
  fs.writeFileSync(
    configuration,
    `module(load="imuxsock" SysSock.Use="off")
module(load="omrelp" tls.tlslib="openssl")
input(type="imuxsock" Socket="${input}" CreatePath="off" RateLimit.Interval="0" UseSysTimeStamp="on")
action(type="omrelp" target="127.0.0.1" port="${chain.port}" tls="on" tls.caCert="${identity}/ca.pem" tls.myCert="${identity}/cert.pem"
  tls.myPrivKey="${identity}/key.pem" tls.authMode="name" tls.permittedPeer=["relay.example.com"] action.resumeRetryCount="-1")
`,
  )
  const rsyslog = spawn('/usr/sbin/rsyslogd', ['-n', '-f', configuration, '-i', chain.place('rsyslog.pid')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => rsyslog.kill('SIGKILL'))
  let said = ''
  rsyslog.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8')
  })
  await eventually(
    'the socket of rsyslog',
    () => fs.existsSync(input),
    () => said,
  )
  const file = path.join(chain.logs, 'box7.example.com', 'messages')
  const text = Array.from({ length: COUNT }, (_, index) => `number ${index}`).join('\n')
  execFileSync('logger', ['-u', input, '-t', 'bulk'], { input: text })
  const lines = (await chain.lines(COUNT, file)).filter((line) => line.includes('number '))
  await chain.lines(COUNT, file)
  const numbers = lines.map((line) => Number(/number (\d+)$/.exec(line)?.[1]))
  t.deepEqual(
    numbers.slice(0, COUNT),
    Array.from({ length: COUNT }, (_, index) => index),
  )
  t.regex(lines[0]!, /^\d{4}-\d\d-\d\dT\S+ box7\.example\.com(?:\/\S+)? /)
  rsyslog.kill('SIGTERM')
  await chain.relay.event('peer-gone')
})
