// rsyslog on both sides, tuned as its manual advises: a long main queue of fixed size, large batches, no rate limit, a large buffer for files, and octet
// counting, which takes no look at each byte. Nothing of it syncs to disk.

import * as fs from 'node:fs'
import { fixedPort } from '../../test/support/fixed-port.ts'
import {
  HOST,
  Host,
  makeIdentities,
  RECEIVER,
  type Receiver,
  type Receiving,
  type Running,
  type System,
  startProgram,
  untilListening,
  untilThere,
  which,
} from './system.ts'

const PLUGINS = '/usr/lib/x86_64-linux-gnu/rsyslog'
const QUEUE =
  'main_queue(queue.type="FixedArray" queue.size="200000" queue.dequeueBatchSize="2048" queue.workerThreads="1" queue.timeoutEnqueue="60000")'

/** A queue of the forwarding action that goes to the disk when the receiver is gone, and at an orderly stop. */
function diskQueue(directory: string, isDurable: boolean): string {
  if (!isDurable) return ''
  fs.mkdirSync(`${directory}/work`, { recursive: true })
  return `queue.type="LinkedList" queue.filename="forward" queue.spoolDirectory="${directory}/work" queue.size="200000" queue.maxDiskSpace="4g" queue.saveOnShutdown="on" queue.dequeueBatchSize="1024"
  `
}

function tlsOf(driver: string, identity: string): string {
  return `global(DefaultNetstreamDriver="${driver}" DefaultNetstreamDriverCAFile="${identity}/ca.pem"
  DefaultNetstreamDriverCertFile="${identity}/cert.pem" DefaultNetstreamDriverKeyFile="${identity}/key.pem")
`
}

function input(socket: string): string {
  return `module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${socket}" CreatePath="off" HostName="${HOST}" RateLimit.Interval="0" UseSysTimeStamp="on")
`
}

function output(directory: string): string {
  return `template(name="perHost" type="string" string="${directory}/logs/%HOSTNAME%/messages")
ruleset(name="files" queue.type="FixedArray" queue.size="200000" queue.dequeueBatchSize="2048" queue.timeoutEnqueue="60000") {
  action(type="omfile" dynaFile="perHost" template="RSYSLOG_FileFormat" dynaFileCacheSize="200" ioBufferSize="256k" asyncWriting="off")
}
`
}

function host(directory: string, name: string, configuration: string, isUp: () => Promise<void>): Promise<Host> {
  fs.writeFileSync(`${directory}/${name}.conf`, configuration)
  return Host.start(async () => {
    fs.rmSync(`${directory}/${name}.pid`, { force: true })
    const child = startProgram(which('rsyslogd'), ['-n', '-f', `${directory}/${name}.conf`, '-i', `${directory}/${name}.pid`])
    await isUp()
    return [child]
  })
}

async function run(directory: string, port: number, sending: string, receiving: string): Promise<Running> {
  const receiver = await host(directory, 'receiving', receiving, () => untilListening(port))
  const sender = await host(directory, 'sending', sending, () => untilThere(`${directory}/log`))
  return { socket: `${directory}/log`, file: `${directory}/logs/${HOST}/messages`, sending: sender, receiving: receiver }
}

type Driver = 'gtls' | 'ossl'

function tlsReceiving(directory: string, driver: Driver, identity: string, port: number): string {
  return `${tlsOf(driver, identity)}module(load="imtcp" StreamDriver.Name="${driver}" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/name" PermittedPeer="${HOST}")
${output(directory)}input(type="imtcp" address="127.0.0.1" port="${port}" ruleset="files")
`
}

function relpTls(identity: string, peer: string): string {
  return `tls="on" tls.caCert="${identity}/ca.pem" tls.myCert="${identity}/cert.pem" tls.myPrivKey="${identity}/key.pem" tls.authMode="name" tls.permittedPeer=["${peer}"]`
}

function relpReceiving(directory: string, identity: string, port: number): string {
  return `module(load="imrelp" tls.tlslib="openssl")
${output(directory)}input(type="imrelp" address="127.0.0.1" port="${port}" ruleset="files" ${relpTls(identity, HOST)})
`
}

async function receive(directory: string, receiving: (identity: string, port: number) => string): Promise<Receiving> {
  const identities = await makeIdentities(directory)
  const port = await fixedPort()
  const receiver = await host(directory, 'receiving', receiving(identities.receiving, port), () => untilListening(port))
  return { port, identity: identities.sending, logs: `${directory}/logs`, host: receiver }
}

const receiverOverTls = (driver: Driver): Receiver => ({
  name: `rsyslog, TLS by ${driver}`,
  isAcknowledged: false,
  protocol: 'counted',
  start(directory) {
    which('rsyslogd', `${PLUGINS}/lmnsd_${driver}.so`)
    return receive(directory, (identity, port) => tlsReceiving(directory, driver, identity, port))
  },
})

const relpReceiver: Receiver = {
  name: 'rsyslog, RELP over TLS',
  isAcknowledged: true,
  protocol: 'relp',
  start(directory) {
    which('rsyslogd', `${PLUGINS}/omrelp.so`)
    return receive(directory, (identity, port) => relpReceiving(directory, identity, port))
  },
}

export const rsyslogReceivers: readonly Receiver[] = [receiverOverTls('gtls'), receiverOverTls('ossl'), relpReceiver]

function overTls(driver: Driver): System {
  return {
    name: `rsyslog, TLS by ${driver}`,
    isAcknowledged: false,
    async start(directory, isDurable = false) {
      which('rsyslogd', `${PLUGINS}/lmnsd_${driver}.so`)
      const identities = await makeIdentities(directory)
      const port = await fixedPort()
      const sending = `${tlsOf(driver, identities.sending)}${QUEUE}
${input(`${directory}/log`)}action(type="omfwd" target="127.0.0.1" port="${port}" protocol="tcp" TCP_Framing="octet-counted" StreamDriver="${driver}" StreamDriverMode="1"
  StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="${RECEIVER}" template="RSYSLOG_SyslogProtocol23Format" ${diskQueue(directory, isDurable)}action.resumeRetryCount="-1" action.resumeInterval="1")
`
      return run(directory, port, sending, tlsReceiving(directory, driver, identities.receiving, port))
    },
  }
}

const relp: System = {
  name: 'rsyslog, RELP over TLS',
  isAcknowledged: true,
  async start(directory, isDurable = false) {
    which('rsyslogd', `${PLUGINS}/omrelp.so`)
    const { sending, receiving } = await makeIdentities(directory)
    const port = await fixedPort()
    const from = `module(load="omrelp" tls.tlslib="openssl")
${QUEUE}
${input(`${directory}/log`)}action(type="omrelp" target="127.0.0.1" port="${port}" windowSize="1024" template="RSYSLOG_SyslogProtocol23Format" ${relpTls(sending, RECEIVER)}
  ${diskQueue(directory, isDurable)}action.resumeRetryCount="-1" action.resumeInterval="1")
`
    return run(directory, port, from, relpReceiving(directory, receiving, port))
  },
}

export const rsyslog: readonly System[] = [overTls('gtls'), overTls('ossl'), relp]
