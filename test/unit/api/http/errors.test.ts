import { describe, expect, it } from 'vitest';
import { errorBody } from '../../../../src/api/http/errors.js';
import { AppError } from '../../../../src/errors.js';

const body = (...args: ConstructorParameters<typeof AppError>) => JSON.parse(errorBody(new AppError(...args)));
const info = (reason: string, metadata = {}) => ({
  '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
  domain: 'dapr.io',
  metadata,
  reason,
});

describe('an error body', () => {
  it('has two keys when the error is a legacy one', () => {
    expect(body('stateGet', { key: 'k', name: 'store' }, new Error('gone'))).toEqual({
      errorCode: 'ERR_STATE_GET',
      message: 'fail to get k from state store store: gone',
    });
  });

  it('names the app when a state store is not found', () => {
    expect(body('stateStoreNotFound', { name: 'nope', appId: 'orders' })).toEqual({
      errorCode: 'ERR_STATE_STORE_NOT_FOUND',
      message: 'state store nope is not found',
      details: [info('DAPR_STATE_NOT_FOUND', { appID: 'orders' })],
    });
  });

  it('shows the violated field and the resource of an illegal key', () => {
    const message = "input key/keyPrefix 'a||b' can't contain '||'";
    expect(body('stateIllegalKey', { name: 'store', key: 'a||b' })).toEqual({
      errorCode: 'ERR_MALFORMED_REQUEST',
      message,
      details: [
        { '@type': 'type.googleapis.com/google.rpc.BadRequest', field_violations: [{ field: 'a||b', description: message }] },
        {
          '@type': 'type.googleapis.com/google.rpc.ResourceInfo',
          resource_type: 'state',
          resource_name: 'store',
          owner: '',
          description: '',
        },
        info('DAPR_STATE_ILLEGAL_KEY'),
      ],
    });
  });

  it('gives both numbers when a transaction is too long', () => {
    const { details } = body('stateTooManyTransactions', { name: 'store', count: '3', max: '2' });
    expect(details).toContainEqual(
      info('DAPR_STATE_TOO_MANY_TRANSACTIONS', { currentOpsTransaction: '3', maxOpsPerTransaction: '2' }),
    );
  });

  it('never shows what nobody expected', () => {
    expect(errorBody(AppError.from(new Error('secret')))).toBe('{"errorCode":"ERROR","message":"internal error"}');
  });
});
