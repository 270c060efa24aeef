// Eleven years of an authority, each step verified by openssl at that time.

import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { listPem } from '../../core/identity/revocation.ts'
import { liveThrough } from '../support/years.ts'
import { MadeAuthority } from '../unit/pki/requests.ts'

const YEARS = 11

test('openssl verify -crl_check believes every certificate of eleven years at its time, under each root, and refuses the revoked', async (t) => {
  t.timeout(600_000)
  const made = await MadeAuthority.make(t)
  const put = (name: string, text: string): string => {
    fs.writeFileSync(path.join(made.parent, name), text)
    return path.join(made.parent, name)
  }
  const pem = (certificates: readonly Buffer[]) => certificates.map((der) => new X509Certificate(der).toString()).join('')
  const verify = (chain: readonly Buffer[], root: X509Certificate): string => {
    const lists = put(
      'crl.pem',
      made.authority
        .revocationLists()
        .map(({ der }) => listPem(der))
        .join(''),
    )
    const at = ['-attime', String(Math.floor(made.nowMs / 1000)), '-x509_strict', '-crl_check', '-purpose', 'sslclient']
    const files = ['-CAfile', put('ca.pem', root.toString()), '-untrusted', put('chain.pem', pem(chain.slice(1))), '-CRLfile', lists]
    const { stdout, stderr } = spawnSync('openssl', ['verify', ...at, ...files, put('leaf.pem', pem(chain.slice(0, 1)))], {
      encoding: 'utf8',
    })
    return stdout + stderr
  }
  let verified = 0
  const { newRoots, issuers } = await liveThrough(made, YEARS * 365, ({ day, chain, roots, revoked }) => {
    for (const root of roots) {
      t.regex(verify(chain, root), /leaf\.pem: OK\n$/, `day ${day}`)
      verified++
      if (revoked !== undefined) t.regex(verify(revoked, root), /certificate revoked/, `day ${day}`)
    }
  })
  t.is(newRoots.length, 1)
  t.log(`${verified} chains verified, ${issuers} issuers, a new root on day ${newRoots[0]}`)
})
