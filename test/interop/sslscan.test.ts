// What a scanner finds at a TLS listener: docs/tls.md keeps the whole of it as a table.

import { execFileSync } from 'node:child_process'
import test from 'ava'
import { Chain } from '../support/chain.ts'
import { openDoor } from '../support/door.ts'

test('sslscan: TLS 1.2 and 1.3 alone, forward secrecy and AEAD alone, no renegotiation, no Heartbleed', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await openDoor(chain, { clients: { names: ['*'] } })
  const said = execFileSync('sslscan', ['--no-colour', `127.0.0.1:${port!.port}`], { encoding: 'utf8', timeout: 120_000 })
  const protocols = [...said.matchAll(/^(SSLv\d|TLSv1\.\d)\s+(enabled|disabled)$/gm)].map(([, name, state]) => `${name} ${state}`)
  t.deepEqual(protocols, ['SSLv2 disabled', 'SSLv3 disabled', 'TLSv1.0 disabled', 'TLSv1.1 disabled', 'TLSv1.2 enabled', 'TLSv1.3 enabled'])
  const ciphers = [...said.matchAll(/^(?:Preferred|Accepted)\s+TLSv1\.[23]\s+\d+ bits\s+(\S+)/gm)].map(([, name]) => name!)
  t.deepEqual(ciphers.sort(), [
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
  ])
  t.regex(said, /Session renegotiation not supported/)
  t.notRegex(said, /(?<!not )vulnerable to heartbleed|Compression enabled/i)
})
