// rsyslog's omrelp over TLS to our relay: the command `syslog` of RELP, as its own library speaks it, with each of its libraries for TLS.

import * as fs from 'node:fs'
import test from 'ava'
import { Chain, linesOf } from '../support/chain.ts'
import { fileOf } from '../support/door.ts'
import { allArrive, COUNT, feed, open, start } from '../support/programs.ts'

for (const library of ['openssl', 'gnutls'])
  test.serial(
    `omrelp with ${library} delivers ${COUNT} messages over RELP and mutual TLS, each once and in order, and ends its session in order`,
    async (t) => {
      const chain = await Chain.make(t)
      const identity = await chain.issue('rsyslog-identity', { name: 'box7.example.com', role: 'agent' })
      const [port] = await open(chain, { clients: { names: ['*.example.com'] } })
      const socket = chain.place('in')
      fs.writeFileSync(
        chain.place('rsyslog.conf'),
        `module(load="imuxsock" SysSock.Use="off")
module(load="omrelp" tls.tlslib="${library}")
input(type="imuxsock" Socket="${socket}" CreatePath="off" RateLimit.Interval="0" UseSysTimeStamp="on")
action(type="omrelp" target="127.0.0.1" port="${port}" tls="on" tls.caCert="${identity}/ca.pem" tls.myCert="${identity}/cert.pem"
  tls.myPrivKey="${identity}/key.pem" tls.authMode="name" tls.permittedPeer=["relay.example.com"] action.resumeRetryCount="-1")
`,
      )
      const rsyslog = start(t, '/usr/sbin/rsyslogd', ['-n', '-f', chain.place('rsyslog.conf'), '-i', chain.place('pid')])
      await feed(socket, rsyslog)
      await allArrive(t, chain, 'box7.example.com')
      t.regex(linesOf(fileOf(chain, 'box7.example.com'))[0]!, /^\d{4}-\d\d-\d\dT\S+ box7\.example\.com(?:\/\S+)? /)
      rsyslog.end()
      t.regex(await chain.relay.event('peer-gone'), / info peer-gone: box7\.example\.com has gone peer=/)
    },
  )
