// syslog-ng on both sides, tuned as its manual advises: long queues, large fetches, flow control so that nothing is dropped, threads, and no look into /proc for the
// sender of each message (so-passcred), which takes most of its time else. And the old recipe:
// syslog-ng without TLS, with stunnel on both hosts.

import type { ChildProcess } from 'node:child_process'
import * as fs from 'node:fs'
import { fixedPort } from '../../test/support/fixed-port.ts'
import { findSyslogNg } from '../../test/support/syslog-ng.ts'
import {
  HOST,
  Host,
  makeIdentities,
  type Receiver,
  type Receiving,
  type Running,
  type System,
  startProgram,
  untilListening,
  untilThere,
  which,
} from './system.ts'

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

/** The queue that is on the disk before a message leaves the source. */
function diskBuffer(directory: string, isDurable: boolean): string {
  if (!isDurable) return ''
  fs.mkdirSync(`${directory}/work`, { recursive: true })
  return ` disk-buffer(reliable(yes) disk-buf-size(4294967296) mem-buf-size(67108864) dir("${directory}/work"))`
}

function configureReceiving(directory: string, from: string): void {
  fs.writeFileSync(
    `${directory}/receiving.conf`,
    `${OPTIONS}source s { ${from} };
destination d { file("${directory}/logs/\${HOST}/messages"); };
log { source(s); destination(d); flags(flow-control); };
`,
  )
}

function configure(directory: string, to: string, from: string): void {
  fs.writeFileSync(
    `${directory}/sending.conf`,
    `${OPTIONS}source s { unix-dgram("${directory}/log" host-override("${HOST}") so-passcred(no) so-rcvbuf(4194304) log-iw-size(100000)); };
destination d { ${to} };
log { source(s); destination(d); flags(flow-control); };
`,
  )
  configureReceiving(directory, from)
}

function tlsSource(identity: string, port: number): string {
  return `syslog(ip("127.0.0.1") port(${port}) max-connections(2000) log-iw-size(100000) ${tlsOf(identity)});`
}

function stunnelAt(directory: string, name: string, identity: string, rest: string): ChildProcess {
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
  return startProgram(which('stunnel'), [`${directory}/${name}.stunnel`])
}

async function receive(
  directory: string,
  from: (identity: string, port: number) => { source: string; tunnels: () => ChildProcess[] },
): Promise<Receiving> {
  const { sending, receiving } = await makeIdentities(directory)
  const port = await fixedPort()
  const { source, tunnels } = from(receiving, port)
  configureReceiving(directory, source)
  const host = await Host.start(async () => {
    const all = [start(directory, 'receiving'), ...tunnels()]
    await untilThere(`${directory}/receiving.ctl`)
    await untilListening(port)
    return all
  })
  return { port, identity: sending, logs: `${directory}/logs`, host }
}

const receiverOverTls: Receiver = {
  name: 'syslog-ng, TLS',
  isAcknowledged: false,
  protocol: 'counted',
  start: (directory) => receive(directory, (identity, port) => ({ source: tlsSource(identity, port), tunnels: () => [] })),
}

const receiverOverStunnel: Receiver = {
  name: 'syslog-ng and stunnel',
  isAcknowledged: false,
  protocol: 'counted',
  async start(directory) {
    const far = await fixedPort()
    return receive(directory, (identity, port) => ({
      source: `syslog(ip("127.0.0.1") port(${far}) transport("tcp") max-connections(2000) log-iw-size(100000));`,
      tunnels: () => [stunnelAt(directory, 'receiving', identity, `accept = 127.0.0.1:${port}\nconnect = 127.0.0.1:${far}`)],
    }))
  },
}

export const syslogNgReceivers: readonly Receiver[] = [receiverOverTls, receiverOverStunnel]

async function run(
  directory: string,
  tunnels: { readonly sending: () => ChildProcess[]; readonly receiving: () => ChildProcess[] },
): Promise<Running> {
  const side = (name: 'sending' | 'receiving', sign: string): Promise<Host> =>
    Host.start(async () => {
      fs.rmSync(sign, { force: true })
      const all = [start(directory, name), ...tunnels[name]()]
      await untilThere(sign)
      return all
    })
  const receiving = await side('receiving', `${directory}/receiving.ctl`)
  const sending = await side('sending', `${directory}/log`)
  return { socket: `${directory}/log`, file: `${directory}/logs/${HOST}/messages`, sending, receiving }
}

const overTls: System = {
  name: 'syslog-ng, TLS',
  isAcknowledged: false,
  async start(directory, isDurable = false) {
    const { sending, receiving } = await makeIdentities(directory)
    const port = await fixedPort()
    configure(
      directory,
      `syslog("127.0.0.1" port(${port}) ${tlsOf(sending)}${diskBuffer(directory, isDurable)});`,
      tlsSource(receiving, port),
    )
    return run(directory, { sending: () => [], receiving: () => [] })
  },
}

const overStunnel: System = {
  name: 'syslog-ng and stunnel',
  isAcknowledged: false,
  async start(directory, isDurable = false) {
    const { sending, receiving } = await makeIdentities(directory)
    const [near, middle, far] = [await fixedPort(), await fixedPort(), await fixedPort()]
    const receiver = (): ChildProcess[] => [
      stunnelAt(directory, 'receiving', receiving, `accept = 127.0.0.1:${middle}\nconnect = 127.0.0.1:${far}`),
    ]
    const sender = (): ChildProcess[] => [
      stunnelAt(directory, 'sending', sending, `client = yes\naccept = 127.0.0.1:${near}\nconnect = 127.0.0.1:${middle}`),
    ]
    configure(
      directory,
      `syslog("127.0.0.1" port(${near}) transport("tcp")${diskBuffer(directory, isDurable)});`,
      `syslog(ip("127.0.0.1") port(${far}) transport("tcp") max-connections(10) log-iw-size(100000));`,
    )
    return run(directory, { sending: sender, receiving: receiver })
  },
}

export const syslogNg: readonly System[] = [overTls, overStunnel]
