import test from 'ava'
import { GroupCommit } from '../../../core/spool/group-commit.ts'

interface Sync {
  end(): void
  fail(error: Error): void
}

function begun(): { commit: GroupCommit; syncs: Sync[] } {
  const syncs: Sync[] = []
  const commit = new GroupCommit(() => new Promise((end, fail) => syncs.push({ end, fail })))
  return { commit, syncs }
}

async function settled(promise: Promise<void>): Promise<boolean> {
  let is = false
  promise.then(
    () => {
      is = true
    },
    () => {
      is = true
    },
  )
  await new Promise((resolve) => setImmediate(resolve))
  return is
}

test('what is asked during a sync waits for the next one, and one covers all of them', async (t) => {
  const { commit, syncs } = begun()
  const first = commit.request()
  const others = [commit.request(), commit.request(), commit.request()]
  t.is(syncs.length, 1)
  t.false(await settled(first))
  syncs[0]!.end()
  t.true(await settled(first))
  t.false(await settled(others[0]!))
  t.is(syncs.length, 2)
  syncs[1]!.end()
  for (const other of others) t.true(await settled(other))
  t.is(syncs.length, 2)
})

test('a failed sync rejects those that waited for it, and nobody else', async (t) => {
  const { commit, syncs } = begun()
  const first = commit.request()
  const second = commit.request()
  syncs[0]!.fail(new Error('EIO'))
  await t.throwsAsync(first, { message: 'EIO' })
  t.false(await settled(second))
  syncs[1]!.end()
  await t.notThrowsAsync(second)
  const third = commit.request()
  t.is(syncs.length, 3)
  syncs[2]!.end()
  await t.notThrowsAsync(third)
})
