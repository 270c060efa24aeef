// A worker that writes and rotates a file as fast as its reader keeps up: workerData is { path, keep, rotations, seed, shared }. In `shared`: lines that the reader has,
// lines written, and 1 when it is over.

import { workerData } from 'node:worker_threads'
import { Random } from './random.ts'
import { RotatedFile } from './tailed-file.ts'

const { path, keep, rotations, seed, shared } = workerData as {
  path: string
  keep: number
  rotations: number
  seed: number
  shared: Int32Array
}
const random = new Random(seed)
const file = new RotatedFile(path, keep)
/** Lines that had been written at each of the last rotations: what is about to be removed has to be read by then. */
const written: number[] = []
for (let rotation = 0; rotation < rotations; rotation++) {
  file.write(random.int(1, 30))
  Atomics.store(shared, 1, file.count)
  for (const least = written.at(-(keep - 2)) ?? 0; Atomics.load(shared, 0) < least; ) Atomics.wait(shared, 2, 0, 1)
  if (random.chance(0.3)) Atomics.wait(shared, 2, 0, random.int(1, 25))
  file.rotate(random.chance(0.5) ? 'create' : 'copytruncate', random.chance(0.5) ? random.int(1, 5) : 0)
  written.push(file.count)
}
file.write(1)
file.close()
Atomics.store(shared, 1, file.count)
Atomics.store(shared, 2, 1)
