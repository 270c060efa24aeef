// syslog-ng beside rsyslog: as Debian packages they exclude each other, so this one is unpacked into a directory of its own.

import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'

const PLACE = path.join(os.tmpdir(), 'loghop-interop-syslog-ng')

export interface SyslogNg {
  readonly program: string
  readonly environment: Readonly<Record<string, string>>
  readonly moduleArguments: readonly string[]
}

/** Undefined where it neither is nor can be fetched. */
export function findSyslogNg(): SyslogNg | undefined {
  const program = path.join(PLACE, 'root/usr/sbin/syslog-ng')
  if (!fs.existsSync(program)) {
    try {
      fs.mkdirSync(PLACE, { recursive: true })
      execFileSync('apt-get', ['download', 'syslog-ng-core'], { cwd: PLACE, stdio: 'ignore' })
      const file = fs.readdirSync(PLACE).find((name) => name.endsWith('.deb'))!
      execFileSync('dpkg', ['-x', file, 'root'], { cwd: PLACE, stdio: 'ignore' })
      const libraries = ['libivykis0', 'libnet1', 'libjson-c5', 'libwrap0', 'libglib2.0-0', 'libpcre3']
      execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...libraries], {
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
        stdio: 'ignore',
      })
    } catch {
      return undefined
    }
  }
  const root = path.join(PLACE, 'root')
  const library = path.join(root, 'usr/lib/syslog-ng')
  const version = fs.readdirSync(library).find((name) => /^\d/.test(name))!
  return {
    program,
    environment: { ...(process.env as Record<string, string>), LD_LIBRARY_PATH: library },
    moduleArguments: ['--module-path', path.join(library, version)],
  }
}
