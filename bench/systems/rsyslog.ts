// rsyslog on both sides, tuned as its manual advises: a long main queue of fixed size, large batches, no rate limit, a large buffer for files, and octet
// counting, which takes no look at each byte. Nothing of it syncs to disk.

import * as fs from 'node:fs'
import { fixedPort } from '../../test/support/fixed-port.ts'
import { HOST, makeIdentities, RECEIVER, type Running, type System, startProgram, stopPrograms, untilThere, which } from './system.ts'

const PLUGINS = '/usr/lib/x86_64-linux-gnu/rsyslog'
const QUEUE =
  'main_queue(queue.type="FixedArray" queue.size="200000" queue.dequeueBatchSize="2048" queue.workerThreads="1" queue.timeoutEnqueue="60000")'

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

async function run(directory: string, sending: string, receiving: string): Promise<Running> {
  const rsyslogd = which('rsyslogd')
  fs.writeFileSync(`${directory}/receiving.conf`, receiving)
  fs.writeFileSync(`${directory}/sending.conf`, sending)
  const start = (name: string) => startProgram(rsyslogd, ['-n', '-f', `${directory}/${name}.conf`, '-i', `${directory}/${name}.pid`])
  const receiver = start('receiving')
  await untilThere(`${directory}/receiving.pid`)
  const sender = start('sending')
  await untilThere(`${directory}/log`)
  return {
    socket: `${directory}/log`,
    file: `${directory}/logs/${HOST}/messages`,
    sending: [sender.pid!],
    receiving: [receiver.pid!],
    stop: () => stopPrograms([sender, receiver]),
  }
}

function overTls(driver: 'gtls' | 'ossl'): System {
  return {
    name: `rsyslog, TLS by ${driver}`,
    isAcknowledged: false,
    async start(directory) {
      which('rsyslogd', `${PLUGINS}/lmnsd_${driver}.so`)
      const identities = await makeIdentities(directory)
      const port = await fixedPort()
      const sending = `${tlsOf(driver, identities.sending)}${QUEUE}
${input(`${directory}/log`)}action(type="omfwd" target="127.0.0.1" port="${port}" protocol="tcp" TCP_Framing="octet-counted" StreamDriver="${driver}" StreamDriverMode="1"
  StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="${RECEIVER}" template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1" action.resumeInterval="1")
`
      const receiving = `${tlsOf(driver, identities.receiving)}module(load="imtcp" StreamDriver.Name="${driver}" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/name" PermittedPeer="${HOST}")
${output(directory)}input(type="imtcp" address="127.0.0.1" port="${port}" ruleset="files")
`
      return run(directory, sending, receiving)
    },
  }
}

const relp: System = {
  name: 'rsyslog, RELP over TLS',
  isAcknowledged: true,
  async start(directory) {
    which('rsyslogd', `${PLUGINS}/omrelp.so`)
    const { sending, receiving } = await makeIdentities(directory)
    const port = await fixedPort()
    const tls = (identity: string, peer: string) =>
      `tls="on" tls.caCert="${identity}/ca.pem" tls.myCert="${identity}/cert.pem" tls.myPrivKey="${identity}/key.pem" tls.authMode="name" tls.permittedPeer=["${peer}"]`
    const from = `module(load="omrelp" tls.tlslib="openssl")
${QUEUE}
${input(`${directory}/log`)}action(type="omrelp" target="127.0.0.1" port="${port}" windowSize="1024" template="RSYSLOG_SyslogProtocol23Format" ${tls(sending, RECEIVER)}
  action.resumeRetryCount="-1" action.resumeInterval="1")
`
    const to = `module(load="imrelp" tls.tlslib="openssl")
${output(directory)}input(type="imrelp" address="127.0.0.1" port="${port}" ruleset="files" ${tls(receiving, HOST)})
`
    return run(directory, from, to)
  },
}

export const rsyslog: readonly System[] = [overTls('gtls'), overTls('ossl'), relp]
