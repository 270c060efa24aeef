// The authority under processes that act at once, and under processes that die in the middle of an act.

import { execFile, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { loadIdentity } from '../../core/identity/identity.ts'
import { Authority } from '../../pki/authority.ts'
import { readRevocationList } from '../../pki/crl.ts'
import { historyOf } from '../../pki/history.ts'
import { initAuthority } from '../../pki/init.ts'
import { issueIdentity } from '../../pki/issue.ts'
import { temporaryDirectory } from '../support/chain.ts'
import { watched } from '../support/daemon.ts'
import { isThere } from '../support/loop-disk.ts'

const ENTRY = fileURLToPath(new URL('../../cli/loghop.js', import.meta.url))

function pki(...words: string[]): Promise<{ code: number; said: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [ENTRY, 'pki', ...words], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), said: stdout + stderr })
    })
  })
}

async function makeAuthority(t: ExecutionContext): Promise<{ parent: string; directory: string }> {
  const parent = temporaryDirectory(t)
  const directory = path.join(parent, 'ca')
  await initAuthority({ directory, name: 'Example Logs' }, Date.now())
  return { parent, directory }
}

test('twenty commands at once: each is done, and the journal is whole', async (t) => {
  const { parent, directory } = await makeAuthority(t)
  const commands = Array.from({ length: 20 }, (_, i) => {
    const name = `host${i}.example.com`
    return i % 2 === 0
      ? pki('issue', name, '--role', 'agent', '--directory', directory, '--out', path.join(parent, name))
      : pki('invite', name, '--role', 'agent', '--directory', directory, '--server', 'ca.example.com:8443')
  })
  for (const { code, said } of await Promise.all(commands)) t.is(code, 0, said)
  const { state } = Authority.open(directory, { by: 'test' })
  t.is(state.certificates.size, 10)
  t.is(state.invitations.size, 10)
  t.is(historyOf(directory).length, 21)
  for (const { name, serial } of state.certificates.values()) t.is(loadIdentity(path.join(parent, name)).facts.serial, serial)
})

/** Runs a command and kills it at its Nth call of the kind. @returns whether it was killed */
async function killedAt(t: ExecutionContext, calls: string, at: number, words: readonly string[]): Promise<boolean> {
  const inject = ['-f', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${calls}:signal=KILL:when=${at}`]
  const child = spawn('strace', [...inject, process.execPath, ENTRY, 'pki', ...words], { stdio: 'ignore' })
  const { code, signal } = await watched(t, child)
  return signal === 'SIGKILL' || code === 137
}

// What changes the disk. Counted in each thread: all of an act's are in the main one.
const CALLS = ['pwrite64', 'fsync', 'rename'] as const
const KILLS_MAX = 40

for (const [act, words] of [
  ['issue', (parent: string, at: number) => ['issue', `host${at}.example.com`, '--role', 'agent', '--out', path.join(parent, `out${at}`)]],
  ['revoke', () => ['revoke', 'victim.example.com', '--reason', 'superseded']],
  ['rotate --root', () => ['rotate', '--root']],
] as const) {
  for (const call of CALLS) {
    test.serial(`${act}, killed at each ${call}, leaves the whole act or none of it`, async (t) => {
      if (!isThere('strace')) return t.pass('strace is not there (package strace)')
      const { parent, directory } = await makeAuthority(t)
      await issueIdentity({ name: 'victim.example.com', role: 'agent', directory, out: path.join(parent, 'victim') }, Date.now())
      const backup = path.join(parent, 'backup')
      fs.cpSync(directory, backup, { recursive: true })
      let kills = 0
      for (let at = 1; at <= KILLS_MAX; at++) {
        fs.rmSync(directory, { recursive: true })
        fs.cpSync(backup, directory, { recursive: true })
        if (!(await killedAt(t, call, at, [...words(parent, at), '--directory', directory]))) break
        kills++
        await checkWhole(t, directory, path.join(parent, `out${at}`), `${call} ${at}`)
        const after = { name: 'after.example.com', role: 'agent', directory, out: path.join(parent, `after${at}`) }
        await issueIdentity(after, Date.now())
        t.notThrows(() => loadIdentity(after.out))
      }
      t.true(kills > 0 && kills < KILLS_MAX, `${kills} kills`)
      t.log(`${kills} kills`)
    })
  }
}

/** The lock is free, and what stands in the journal is what stands on disk. */
async function checkWhole(t: ExecutionContext, directory: string, identity: string, where: string): Promise<void> {
  const authority = Authority.open(directory, { by: 'test' })
  await authority.refreshRevocationLists()
  const { state } = authority
  t.deepEqual(authority.problems(), [], where)
  if (fs.existsSync(identity)) t.true(state.certificates.has(loadIdentity(identity).facts.serial), where)
  t.is(new Set(historyOf(directory).flatMap((one) => (one.act === 'issue' ? [one.serial] : []))).size, state.certificates.size, where)
  const revoked = [...state.certificates.values()].filter((issued) => issued.revoked !== undefined).map(({ serial }) => serial)
  const listed = authority.revocationLists().flatMap(({ der }) => [...readRevocationList(der).serials])
  t.deepEqual(listed, revoked, where)
}
