// A .deb: control files beside the tree, and dpkg-deb.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { type Build, compressed } from './contents.ts'
import type { Tree } from './tree.ts'

const CONFFILES = ['/etc/default/loghop-pki', '/etc/logrotate.d/loghop-relay']
const SCRIPTS = ['postinst', 'prerm', 'postrm']
const MAINTAINER = 'The Loghop authors <loghop@example.com>'

/** Adds what Debian alone wants and packs the tree. @param compression as dpkg-deb takes it @returns the file */
export function packDebian(tree: Tree, build: Build, out: string, compression: readonly string[]): string {
  const { root, architecture, version, epoch } = build
  const source = (name: string): string => fs.readFileSync(path.join(root, 'packaging/debian', name), 'utf8')
  tree.put('usr/share/doc/loghop/changelog.gz', compressed(changelog(version, epoch)))
  tree.put('usr/share/lintian/overrides/loghop', source('lintian-overrides'))
  const files = tree.files()
  const installed = Math.ceil(tree.bytes / 1024)
  const sums = files
    .filter((file) => !CONFFILES.includes(`/${file}`))
    .map(
      (file) =>
        `${createHash('md5')
          .update(fs.readFileSync(tree.place(file)))
          .digest('hex')}  ${file}\n`,
    )
  tree.put('DEBIAN/control', control(architecture, version, installed))
  tree.put('DEBIAN/md5sums', sums.join(''))
  tree.put('DEBIAN/conffiles', `${CONFFILES.join('\n')}\n`)
  for (const name of SCRIPTS) tree.put(`DEBIAN/${name}`, source(name), 0o755)
  tree.settle(epoch)
  const file = path.join(out, `loghop_${version}_${architecture}.deb`)
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(epoch) }
  execFileSync('dpkg-deb', ['--root-owner-group', ...compression, '--build', tree.root, file], { env, stdio: 'pipe' })
  return file
}

function control(architecture: string, version: string, installedKib: number): string {
  return `Package: loghop
Version: ${version}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${installedKib}
Depends: libc6 (>= 2.28), libstdc++6 (>= 9), libgcc-s1, libatomic1, passwd
Recommends: systemd, logrotate
Section: admin
Priority: optional
Description: secure log forwarding over mutual TLS, with its own authority
 Loghop takes the messages of a host (journal, /dev/log, kernel, files) and
 carries them over mutual TLS, exactly once, to a relay that files them per
 host. A host speaks only for the name in its certificate.
 .
 The package holds the agent, the relay, the certificate authority, and the
 Node runtime that runs them.
`
}

function changelog(version: string, epoch: number): string {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000')
  return `loghop (${version}) unstable; urgency=medium\n\n  * CHANGELOG.md of the project tells what is new.\n\n -- ${MAINTAINER}  ${date}\n`
}
