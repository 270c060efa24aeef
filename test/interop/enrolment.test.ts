// Clients of others enrol, renew and verify: strongSwan's pki, and curl with openssl.

import { type ExecFileException, execFile } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { revoke } from '../../pki/revocation.ts'
import { Enrolment, EST } from '../support/enrolment.ts'

const NAME = 'web01.example.com'
const LIMIT_MS = 60_000

interface Ran {
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: string
}

class Host {
  readonly est: Enrolment
  readonly directory: string
  readonly #t: ExecutionContext

  private constructor(t: ExecutionContext, est: Enrolment) {
    this.#t = t
    this.est = est
    this.directory = path.join(est.directory, 'host')
    fs.mkdirSync(this.directory)
    fs.copyFileSync(est.rootFile, this.place('root.pem'))
  }

  static async start(t: ExecutionContext): Promise<Host> {
    return new Host(t, await Enrolment.start(t))
  }

  place(name: string): string {
    return path.join(this.directory, name)
  }

  url(where: string): string {
    return `https://localhost:${this.est.port}${where}`
  }

  run(program: string, args: readonly string[]): Promise<Ran> {
    return new Promise((resolve) => {
      const options = { cwd: this.directory, encoding: 'buffer', timeout: LIMIT_MS, killSignal: 'SIGKILL' } as const
      execFile(program, args, options, (error: ExecFileException | null, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr: stderr.toString() })
      })
    })
  }

  /** Runs to a good end. @returns what it printed */
  async good(program: string, ...args: readonly string[]): Promise<Buffer> {
    const ran = await this.run(program, args)
    this.#t.is(ran.code, 0, `${program} ${args.join(' ')}: ${ran.stderr}\n${this.est.server.said}`)
    return ran.stdout
  }

  /** Lines for sh, as the manual shows them. */
  shell(lines: string): Promise<Buffer> {
    return this.good('sh', '-euc', lines)
  }

  subject(file: string): Promise<string> {
    return this.good('openssl', 'x509', '-in', file, '-noout', '-subject', '-ext', 'subjectAltName').then(String)
  }
}

test('strongSwan takes the bundle, enrols and enrols again', async (t) => {
  const host = await Host.start(t)
  await host.good('pki', '--estca', '--url', host.url(''), '--cacert', 'root.pem', '--caout', 'ca.pem', '--outform', 'pem')
  t.deepEqual(fs.readdirSync(host.directory).sort(), ['ca-1.pem', 'ca.pem', 'root.pem'])
  t.regex(String(await host.good('openssl', 'verify', '-CAfile', 'ca.pem', 'ca-1.pem')), /ca-1\.pem: OK/)

  const { secret } = await host.est.invite(NAME)
  const trusted = ['--cacert', 'ca.pem', '--cacert', 'ca-1.pem', '--outform', 'pem']
  for (const generation of ['1', '2']) {
    fs.writeFileSync(
      host.place(`key${generation}.pem`),
      await host.good('pki', '--gen', '--type', 'ecdsa', '--size', '256', '--outform', 'pem'),
    )
    const csr = ['--req', '--in', `key${generation}.pem`, '--type', 'priv', '--dn', `CN=${NAME}`, '--san', NAME]
    fs.writeFileSync(host.place(`csr${generation}.der`), await host.good('pki', ...csr))
  }
  const first = ['--est', '--url', host.url(''), '--userpass', `${NAME}:${secret}`, '--in', 'csr1.der', ...trusted]
  fs.writeFileSync(host.place('cert1.pem'), await host.good('pki', ...first))
  const second = ['--est', '--url', host.url(''), '--cert', 'cert1.pem', '--key', 'key1.pem', '--in', 'csr2.der', ...trusted]
  fs.writeFileSync(host.place('cert2.pem'), await host.good('pki', ...second))
  for (const file of ['cert1.pem', 'cert2.pem']) {
    t.regex(await host.subject(file), /DNS:web01\.example\.com/)
    await host.good('pki', '--verify', '--in', file, '--cacert', 'ca.pem', '--cacert', 'ca-1.pem')
  }
  t.not(fs.readFileSync(host.place('cert1.pem'), 'utf8'), fs.readFileSync(host.place('cert2.pem'), 'utf8'))
})

test('strongSwan is refused with a wrong secret, and says so', async (t) => {
  const host = await Host.start(t)
  fs.writeFileSync(host.place('key.pem'), await host.good('pki', '--gen', '--type', 'ecdsa', '--size', '256', '--outform', 'pem'))
  fs.writeFileSync(host.place('csr.der'), await host.good('pki', '--req', '--in', 'key.pem', '--type', 'priv', '--dn', `CN=${NAME}`))
  const wrong = ['--est', '--url', host.url(''), '--userpass', `${NAME}:wrong`, '--in', 'csr.der', '--cacert', 'root.pem']
  const ran = await host.run('pki', wrong)
  t.not(ran.code, 0)
  t.regex(ran.stderr, /HTTP 401/)
})

test('curl and openssl enrol, renew and fetch the list; openssl verifies all of it', async (t) => {
  const host = await Host.start(t)
  const { secret } = await host.est.invite(NAME)
  const est = host.url(EST)
  await host.shell(`
    curl -sS --fail-with-body --cacert root.pem ${est}/cacerts | openssl base64 -d -A | openssl pkcs7 -inform DER -print_certs -out ca.pem
    openssl ecparam -name prime256v1 -genkey -noout -out key.pem
    openssl req -new -key key.pem -subj /CN=${NAME} -outform DER | openssl base64 -out csr.b64
    curl -sS --fail-with-body --cacert root.pem -u '${NAME}:${secret}' -H 'Content-Type: application/pkcs10' --data-binary @csr.b64 ${est}/simpleenroll -o answer.b64
    openssl base64 -d -A -in answer.b64 | openssl pkcs7 -inform DER -print_certs -out cert.pem
    openssl ecparam -name prime256v1 -genkey -noout -out key2.pem
    openssl req -new -key key2.pem -subj /CN=${NAME} -outform DER | openssl base64 -out csr2.b64
    curl -sS --fail-with-body --cacert root.pem --cert cert.pem --key key.pem -H 'Content-Type: application/pkcs10' --data-binary @csr2.b64 ${est}/simplereenroll -o answer2.b64
    openssl base64 -d -A -in answer2.b64 | openssl pkcs7 -inform DER -print_certs -out cert2.pem
  `)
  t.regex(await host.subject('cert2.pem'), /DNS:web01\.example\.com/)
  const verify = ['verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', 'root.pem']
  t.regex(String(await host.good('openssl', ...verify, '-untrusted', 'cert.pem', 'cert.pem')), /: OK/)
  t.regex(String(await host.good('openssl', ...verify, '-untrusted', 'cert2.pem', 'cert2.pem')), /: OK/)

  await host.est.act((session) => revoke(session, NAME, 'key-compromise'))
  await host.shell(`
    curl -sS --fail-with-body --cacert root.pem ${host.url('/crl')} -o crl.der
    curl -sS --fail-with-body --cacert root.pem ${host.url('/crl.pem')} -o crl.pem
    openssl crl -inform DER -in crl.der -noout -text > crl.txt
  `)
  const text = fs.readFileSync(host.place('crl.txt'), 'utf8')
  t.regex(text, /Version 2 \(0x1\)/)
  t.regex(text, /X509v3 CRL Number/)
  t.regex(text, /X509v3 Authority Key Identifier/)
  t.regex(text, /Key Compromise/)
  const checked = await host.run('openssl', [...verify, '-crl_check', '-CRLfile', 'crl.pem', '-untrusted', 'cert2.pem', 'cert2.pem'])
  t.not(checked.code, 0)
  t.regex(checked.stderr, /certificate revoked/)
  const signed = await host.run('openssl', ['crl', '-in', 'crl.pem', '-CAfile', 'ca.pem', '-noout'])
  t.regex(signed.stderr, /verify OK/)
})

test('openssl reads the attributes and the containers', async (t) => {
  const host = await Host.start(t)
  const read = (where: string, command: string) =>
    host
      .shell(`curl -sS --fail-with-body --cacert root.pem ${host.url(`${EST}/${where}`)} | openssl base64 -d -A | ${command}`)
      .then(String)
  const attributes = await read('csrattrs', 'openssl asn1parse -inform DER')
  t.regex(attributes, /OBJECT\s+:id-ecPublicKey[\s\S]*OBJECT\s+:prime256v1[\s\S]*OBJECT\s+:ecdsa-with-SHA256/)
  t.regex(await read('cacerts', 'openssl cms -cmsout -print -inform DER'), /contentType: pkcs7-signedData[\s\S]*signerInfos:\s+<EMPTY>/)
})
