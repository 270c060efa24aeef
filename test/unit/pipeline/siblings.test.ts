import * as fs from 'node:fs'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { rotatedSiblings } from '../../../core/pipeline/file/siblings.ts'
import { temporaryDirectory } from '../../support/chain.ts'

const FILES = 6
const LISTINGS = 400

// Moves every file to the next name, as logrotate does, and the last one to the first; a pause; again.
const ROTATE = `
const fs = require('node:fs')
const { workerData } = require('node:worker_threads')
for (let round = 0; ; round++) {
  for (let number = workerData.files; number >= 1; number--) fs.renameSync(workerData.file + '.' + number, workerData.file + '.' + (number + 1))
  fs.renameSync(workerData.file + '.' + (workerData.files + 1), workerData.file + '.1')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, round % 3)
}`

test('while a rotation moves them from name to name, no file is missed and none is found twice', async (t) => {
  const file = `${temporaryDirectory(t)}/app.log`
  for (let number = 1; number <= FILES; number++) fs.writeFileSync(`${file}.${number}`, `${number}`)
  const all = rotatedSiblings(file).map(({ id }) => id)
  t.is(all.length, FILES)
  const worker = new Worker(ROTATE, { eval: true, workerData: { file, files: FILES } })
  try {
    const place = fs.statSync(`${file}.1`).ino
    for (const until = performance.now() + 30_000; fs.statSync(`${file}.1`, { throwIfNoEntry: false })?.ino === place; ) {
      if (performance.now() > until) return t.fail('nothing is rotated')
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (let listing = 0; listing < LISTINGS; listing++) {
      const ids = rotatedSiblings(file).map(({ id }) => id)
      t.deepEqual([...ids].sort(), [...all].sort())
    }
  } finally {
    await worker.terminate()
  }
})
