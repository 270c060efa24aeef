// Broken on purpose: the spool is synced, the files of the hosts are not, and yet the checkpoint counts on them.

import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const { fdatasync } = fs
fs.fdatasync = ((fd: number, done: (error: Error | null) => void) => {
  if (fs.readlinkSync(`/proc/self/fd/${fd}`).includes('/logs/')) setImmediate(done, null)
  else fdatasync(fd, done)
}) as typeof fs.fdatasync
syncBuiltinESMExports()
