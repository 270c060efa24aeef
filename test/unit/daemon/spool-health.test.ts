import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { SpoolHealth } from '../../../core/daemon/spool-health.ts'
import { temporaryDirectory } from '../../support/chain.ts'

function errno(code: string): Error {
  return Object.assign(new Error(code), { code })
}

test('a spool that takes writes is healthy, and nothing is left of the check', async (t) => {
  const directory = temporaryDirectory(t)
  const health = new SpoolHealth(directory, () => Promise.resolve())
  await health.check()
  t.false(health.isFull)
  t.deepEqual(fs.readdirSync(directory), [])
})

test('a directory that takes no file is not healthy', async (t) => {
  const directory = temporaryDirectory(t)
  fs.mkdirSync(path.join(directory, '.health'))
  await t.throwsAsync(new SpoolHealth(directory, () => Promise.resolve()).check(), { code: 'UNHEALTHY', message: /EISDIR/ })
})

test('a sync that fails while the check waits is not healthy, but a full disk is only told', async (t) => {
  const directory = temporaryDirectory(t)
  let waits = (): void => undefined
  const health = new SpoolHealth(directory, () => {
    waits()
    return new Promise(() => undefined)
  })
  const failing = async (code: string): Promise<void> => {
    const isWaiting = new Promise<void>((resolve) => {
      waits = resolve
    })
    const checked = health.check()
    await isWaiting
    health.failed(errno(code))
    await checked
  }
  await t.throwsAsync(failing('EIO'), { code: 'UNHEALTHY', message: /EIO/ })
  t.false(health.isFull)
  await failing('ENOSPC')
  t.true(health.isFull)
})
