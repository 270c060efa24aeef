// syslog-ng on both sides, tuned as its manual advises: long queues, large fetches, flow control so that nothing is dropped, threads, and no look into /proc for the
// sender of each message (so-passcred), which takes most of its time else. And the old recipe:
// syslog-ng without TLS, with stunnel on both hosts.

import type { ChildProcess } from 'node:child_process'
import * as fs from 'node:fs'
import { fixedPort } from '../../test/support/fixed-port.ts'
import { findSyslogNg } from '../../test/support/syslog-ng.ts'
import { HOST, makeIdentities, type Running, type System, startProgram, stopPrograms, untilThere, which } from './system.ts'

const OPTIONS = `@version: 3.38
options { threaded(yes); keep-hostname(yes); use-dns(no); create-dirs(yes); log-fifo-size(500000); log-fetch-limit(1000); flush-lines(1000); stats-freq(0); };
`

function start(directory: string, name: string): ChildProcess {
  const found = findSyslogNg()
  if (found === undefined) throw new Error('syslog-ng is not there and could not be fetched')
  const place = `${directory}/${name}`
  const state = ['--persist-file', `${place}.persist`, '--pidfile', `${place}.pid`, '--control', `${place}.ctl`]
  return startProgram(found.program, ['-F', '-f', `${place}.conf`, '--no-caps', ...state, ...found.moduleArguments], found.environment)
}

function tlsOf(identity: string): string {
  return `transport("tls") tls(peer-verify(required-trusted) ca-file("${identity}/ca.pem") key-file("${identity}/key.pem") cert-file("${identity}/cert.pem"))`
}

function configure(directory: string, to: string, from: string): void {
  fs.writeFileSync(
    `${directory}/sending.conf`,
    `${OPTIONS}source s { unix-dgram("${directory}/log" host-override("${HOST}") so-passcred(no) so-rcvbuf(4194304) log-iw-size(100000)); };
destination d { ${to} };
log { source(s); destination(d); flags(flow-control); };
`,
  )
  fs.writeFileSync(
    `${directory}/receiving.conf`,
    `${OPTIONS}source s { ${from} };
destination d { file("${directory}/logs/\${HOST}/messages"); };
log { source(s); destination(d); flags(flow-control); };
`,
  )
}

async function run(directory: string, tunnels: { readonly sending: ChildProcess[]; readonly receiving: ChildProcess[] }): Promise<Running> {
  const receiver = start(directory, 'receiving')
  await untilThere(`${directory}/receiving.ctl`)
  const sender = start(directory, 'sending')
  await untilThere(`${directory}/log`)
  const sending = [sender, ...tunnels.sending]
  const receiving = [receiver, ...tunnels.receiving]
  return {
    socket: `${directory}/log`,
    file: `${directory}/logs/${HOST}/messages`,
    sending: sending.map(({ pid }) => pid!),
    receiving: receiving.map(({ pid }) => pid!),
    stop: () => stopPrograms([...sending, ...receiving]),
  }
}

const overTls: System = {
  name: 'syslog-ng, TLS',
  isAcknowledged: false,
  async start(directory) {
    const { sending, receiving } = await makeIdentities(directory)
    const port = await fixedPort()
    configure(
      directory,
      `syslog("127.0.0.1" port(${port}) ${tlsOf(sending)});`,
      `syslog(ip("127.0.0.1") port(${port}) max-connections(10) log-iw-size(100000) ${tlsOf(receiving)});`,
    )
    return run(directory, { sending: [], receiving: [] })
  },
}

const overStunnel: System = {
  name: 'syslog-ng and stunnel',
  isAcknowledged: false,
  async start(directory) {
    const stunnel = which('stunnel')
    const { sending, receiving } = await makeIdentities(directory)
    const [near, middle, far] = [await fixedPort(), await fixedPort(), await fixedPort()]
    const tunnel = (name: string, identity: string, rest: string): ChildProcess => {
      fs.writeFileSync(
        `${directory}/${name}.stunnel`,
        `foreground = yes
pid =
debug = 3
[syslog]
cert = ${identity}/cert.pem
key = ${identity}/key.pem
CAfile = ${identity}/ca.pem
verifyChain = yes
TIMEOUTclose = 0
${rest}
`,
      )
      return startProgram(stunnel, [`${directory}/${name}.stunnel`])
    }
    const receiver = tunnel('receiving', receiving, `accept = 127.0.0.1:${middle}\nconnect = 127.0.0.1:${far}`)
    const sender = tunnel('sending', sending, `client = yes\naccept = 127.0.0.1:${near}\nconnect = 127.0.0.1:${middle}`)
    configure(
      directory,
      `syslog("127.0.0.1" port(${near}) transport("tcp"));`,
      `syslog(ip("127.0.0.1") port(${far}) transport("tcp") max-connections(10) log-iw-size(100000));`,
    )
    return run(directory, { sending: [sender], receiving: [receiver] })
  },
}

export const syslogNg: readonly System[] = [overTls, overStunnel]
