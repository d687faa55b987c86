/** Which addresses are public, and which hosts the operator named. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AddressPolicy, canonicalHost, isLiteral, isPublicAddress } from './address_policy.js'

describe('public are', () => {
  test.each([
    '1.1.1.1',
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '169.253.255.255',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2001:4860:4860::8888',
    '[2606:4700:4700::1111]',
    '2a00::1',
    // IPv4 as it appears on a socket, and behind NAT64.
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
  ])('%s', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })
})

describe('not public are', () => {
  test.each([
    ['this host', '0.0.0.0', '0.1.2.3', '::'],
    ['loopback', '127.0.0.1', '127.255.255.255', '::1', '[::1]'],
    ['private (RFC 1918)', '10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255'],
    ['private (RFC 1918)', '192.168.0.0', '192.168.255.255'],
    ['shared (RFC 6598)', '100.64.0.0', '100.127.255.255'],
    ['link-local', '169.254.0.1', '169.254.169.254', 'fe80::1', 'febf::1', 'fe80::1%eth0'],
    ['protocol assignments', '192.0.0.0', '192.0.0.171', '2001::1', '2001:1::1', '2001:1ff::'],
    ['documentation', '192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
    ['benchmarking', '198.18.0.0', '198.19.255.255', '2001:2::1'],
    ['6to4 and its relays', '192.88.99.1', '2002:808:808::1', '2002:7f00:1::'],
    ['Teredo', '2001:0:808:808::1'],
    ['ORCHID', '2001:10::1', '2001:20::1'],
    ['multicast', '224.0.0.1', '239.255.255.255', 'ff02::1'],
    ['reserved', '240.0.0.1', '255.255.255.255'],
    ['unique local', 'fc00::1', 'fd00::1', 'fdff:ffff::'],
    ['site-local', 'fec0::1'],
    ['IPv4 mapped', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:a00:1', '::ffff:169.254.169.254'],
    ['IPv4 mapped', '::ffff:0.0.0.0', '[::ffff:c0a8:1]'],
    ['IPv4 compatible', '::127.0.0.1', '::8.8.8.8', '::7f00:1'],
    ['IPv4 translated', '::ffff:0:127.0.0.1', '::ffff:0:808:808'],
    ['NAT64 of them', '64:ff9b::127.0.0.1', '64:ff9b::a00:1', '64:ff9b::c0a8:101'],
    ['NAT64 of local use', '64:ff9b:1::808:808'],
    ['discarded', '100::1'],
    ['segment routing', '5f00::1'],
    ['never handed out', '1::1', '200::1', '1fff::1', '4000::1', '8000::1', 'e000::1'],
    [
      'no addresses',
      '',
      'localhost',
      '127.0.0.1.',
      '2130706433',
      '0x7f000001',
      '127.1',
      '017.0.0.1',
    ],
  ])('%s: %s', (_, ...addresses) => {
    for (const address of addresses)
      expect([address, isPublicAddress(address)]).toEqual([address, false])
  })

  test('all of IPv4 that is not, in IPv6 clothes too', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number)
        const inside = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
        const isPublic = isPublicAddress(address)
        expect(isPublicAddress(`::ffff:${inside}`)).toBe(isPublic)
        expect(isPublicAddress(`64:ff9b::${inside}`)).toBe(isPublic)
        expect(isPublicAddress(`2002:${inside}::1`)).toBe(false)
        expect(isPublicAddress(`::${inside}`)).toBe(false)
      }),
    )
  })
})

test.each([
  ['https://127.0.0.1', true],
  ['https://2130706433', true],
  ['https://0x7f000001', true],
  ['https://0x7f.1', true],
  ['https://0177.0.0.01', true],
  ['https://127.1', true],
  ['https://127.0.0.1.', true],
  ['https://１２７.０.０.１', true],
  ['https://127。0。0。1', true],
  ['https://%31%32%37.0.0.1', true],
  ['https://[::1]', true],
  ['https://[0:0:0:0:0:ffff:127.0.0.1]', true],
  ['https://localhost', false],
  ['https://127.0.0.1.nip.example', false],
])('%s is an address: %s', (url, expected) => {
  const { hostname } = new URL(url)
  expect(isLiteral(hostname)).toBe(expected)
  expect(isPublicAddress(hostname)).toBe(false)
})

describe('the operator’s own are', () => {
  const policy = new AddressPolicy({
    realm: 'shop',
    allowed_hosts: ['op.example', 'two.example:8443', '[fd00::1]', '10.0.0.1:443'].map(
      canonicalHost,
    ),
    insecure_hosts: ['127.0.0.1'],
    proxied: false,
  })

  test.each([
    ['https://op.example', true],
    ['https://op.example:8443', true],
    ['https://OP.example.', true],
    ['https://ｏｐ.example', true],
    ['https://op.example..', false],
    ['https://other.op.example', false],
    ['https://op.example.evil.example', false],
    ['https://evil-op.example', false],
    ['https://two.example:8443', true],
    ['https://two.example.:8443', true],
    ['https://two.example', false],
    ['https://two.example:18443', false],
    ['https://[fd00:0:0::1]', true],
    ['https://[fd00::1]:99', true],
    ['https://[fd00::2]', false],
    ['https://10.0.0.1', true],
    ['https://0x0a000001:443', true],
    ['https://10.0.0.1:444', false],
    ['http://10.0.0.1', false],
    ['https://127.0.0.1:1', true],
    ['http://127.0.0.1:1', true],
    ['https://[::ffff:127.0.0.1]', false],
  ])('%s: %s', (text, expected) => {
    const url = new URL(text)
    expect(policy.isOwn(url)).toBe(expected)
    // As undici's connector has it.
    const hostname = url.hostname.replace(/^\[|\]$/g, '')
    expect(policy.isOwn({ protocol: url.protocol, port: url.port, hostname })).toBe(expected)
  })

  test('called without TLS only where that was waived', () => {
    expect(policy.isSecure(new URL('http://127.0.0.1:1'))).toBe(true)
    expect(policy.isSecure(new URL('http://op.example'))).toBe(false)
    expect(policy.isSecure(new URL('ftp://127.0.0.1'))).toBe(false)
  })
})
