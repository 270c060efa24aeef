// Run by "npm pack" before it packs; "postpack" in package.json removes it again.

import { fileURLToPath } from 'node:url'
import { putPrograms } from './npm.ts'

putPrograms(fileURLToPath(new URL('..', import.meta.url)))
