import test from 'ava'
import type { Files } from '../../core/base/files.ts'
import { Random, runSeed } from '../support/random.ts'
import { type Breakage, SpoolModel } from './spool-model.ts'

const IS_LONG = process.env['LOGHOP_LONG'] === '1'
const RUNS = IS_LONG ? 1000 : 30
const STEPS = 400

test(`the spool keeps its promises over ${RUNS} histories of ${STEPS} actions`, async (t) => {
  t.timeout(IS_LONG ? 3_600_000 : 300_000)
  const seed = runSeed()
  t.log(`LOGHOP_SEED=${seed}`)
  const done: Record<string, number> = {}
  for (let run = 0; run < RUNS; run++) {
    const model = new SpoolModel(new Random(seed + run))
    try {
      await model.run(STEPS)
    } catch (error) {
      throw new Error(`with LOGHOP_SEED=${seed + run}: ${(error as Error).message}`, { cause: error })
    }
    for (const [action, count] of Object.entries(model.done)) done[action] = (done[action] ?? 0) + count
  }
  t.deepEqual(
    Object.keys(done).filter((action) => done[action]! < 10),
    [],
    'every action is done',
  )
})

/** A process whose calls are those of `files`, but for some. */
function but(files: Files, calls: Partial<Files>): Files {
  const inherited: Partial<Files> = {}
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(files)) as Array<keyof Files>)
    if (typeof files[name] === 'function') Object.assign(inherited, { [name]: (files[name] as (...all: unknown[]) => unknown).bind(files) })
  return { ...(inherited as Files), ...calls }
}

// What would be wrong, and what the model has to see through: a test of the test.
const BREAKAGES: Readonly<Record<string, Breakage>> = {
  'an acknowledgement before the sync': { commit: () => Promise.resolve() },
  'a sync that does nothing': { files: (files) => but(files, { syncData: () => Promise.resolve() }) },
  'a folder whose entries are never synced': {
    files: (files) => but(files, { syncDirectoryLater: () => Promise.resolve() }),
  },
  'a spool whose own folder is never synced': { files: (files) => but(files, { syncDirectory: () => undefined }) },
  'a document that is renamed before its bytes are on the disk': {
    files: (files) => but(files, { sync: () => undefined, syncLater: () => Promise.resolve() }),
  },
  'a cursor ahead of what was acknowledged': {
    position: (_spool, acknowledged) => ({ segment: acknowledged.segment + 1, offset: 64 }),
  },
  'streams that are forgotten at a restart': {
    files: (files) => but(files, { statPath: (file) => (file.endsWith('/streams') ? undefined : files.statPath(file)) }),
  },
  'a stream that goes on after a power cut': { bootId: () => 'always the same' },
  'a short write that is taken for a whole one': {
    fault: 'write',
    files: (files) =>
      but(files, {
        write: (fd, bytes, offset, length, position) => {
          files.write(fd, bytes, offset, length, position)
          return length
        },
      }),
  },
  'a torn tail that is not cut': { files: (files) => but(files, { truncate: () => undefined }) },
  'bytes read back with one bit wrong': {
    files: (files) => {
      let reads = 0
      return but(files, {
        read: (fd, into, offset, length, position) => {
          const got = files.read(fd, into, offset, length, position)
          if (++reads % 50 === 0 && got > 200) into[offset + 150]! ^= 1
          return got
        },
      })
    },
  },
}

for (const [name, breakage] of Object.entries(BREAKAGES)) {
  test(`the model sees through ${name}`, async (t) => {
    const seed = runSeed()
    for (let run = 0; run < 60; run++) {
      try {
        await new SpoolModel(new Random(seed + run), breakage).run(STEPS)
      } catch (error) {
        // The broken process has noticed by itself: no merit of the model.
        if ((error as Error).message.includes('the file ends there')) continue
        t.log(`LOGHOP_SEED=${seed + run}: ${(error as Error).message}`)
        t.is((error as { code?: string }).code, 'ERR_ASSERTION', (error as Error).stack)
        return
      }
    }
    t.fail(`60 histories of ${STEPS} actions from LOGHOP_SEED=${seed} on went well`)
  })
}
