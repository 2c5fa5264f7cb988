import { expect, it } from 'vitest';
import { identitySocket, identitySockets } from '../../../src/lib/identity-socket.js';

it('is the same for the control plane and for those who look for it, and another for every address', () => {
  const at = (host: string, port: number) => identitySocket('/d', host, port);
  expect(identitySockets('/d', 'localhost', 18000)).toContain(at('127.0.0.1', 18000));
  expect(identitySockets('/d', '127.0.0.1', 18000)).toContain(at('0.0.0.0', 18000));
  expect(identitySockets('/d', '::1', 18000)).toContain(at('::', 18000));
  expect(new Set([at('127.0.0.1', 1), at('127.0.0.1', 2), at('127.0.0.2', 1), at('0.0.0.0', 1), at('::1', 1)]).size).toBe(5);
});

it('is never that of a control plane here when the address is of another machine', () => {
  expect(identitySockets('/d', '192.0.2.7', 18000)).toEqual([identitySocket('/d', '192.0.2.7', 18000)]);
  expect(identitySockets('/d', 'control.example', 18000)).not.toContain(identitySocket('/d', '0.0.0.0', 18000));
});
