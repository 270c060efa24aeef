// Broken on purpose: fdatasync says that all is well and does nothing.

import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

fs.fdatasync = ((_fd: number, done: (error: Error | null) => void) => {
  setImmediate(done, null)
}) as typeof fs.fdatasync
fs.fdatasyncSync = () => undefined
syncBuiltinESMExports()
