import { describe, expect, it } from 'vitest';
import {
  compareTemplates,
  pathTemplate,
  pathTemplateProblem,
  withInvocations,
} from '../../../../src/model/metrics/path-template.js';

const fits = (template: string, path: string) => new RegExp(`^${pathTemplate(template).regex}$`).test(path);

describe('a path template', () => {
  it.each([
    ['/orders/{id}', '/orders/7', true],
    ['/orders/{id}', '/orders/', false],
    ['/orders/{id}', '/orders/7/items', false],
    ['/orders/{id}/items', '/orders/7/items', true],
    ['/orders/', '/orders/7/items', true],
    ['/orders/', '/orders/', true],
    ['/orders/', '/orders', false],
    ['/files/{path...}', '/files/a/b/c', true],
    ['/orders/{$}', '/orders/', true],
    ['/orders/{$}', '/orders/7', false],
    ['/', '/anything/at/all', true],
    ['//a//b', '/a/b', true],
    ['/a.b', '/aXb', false],
  ])('%s and %s: %s', (template, path, expected) => expect(fits(template, path)).toBe(expected));

  it('is refused with a remedy when it is none', () => {
    expect(pathTemplateProblem('/orders/{id}')).toBeUndefined();
    for (const bad of ['/a{id}', '/{}', '/{rest...}/a', '/a?b=c', '/a b', '/{$}/a'])
      expect(pathTemplateProblem(bad)).toMatch(/; change it$/);
  });

  it('is asked before a wider one', () => {
    const sorted = ['/', '/orders/{id}', '/{any}/{id}', '/orders/new', '/orders/'].map(pathTemplate).sort(compareTemplates);
    expect(sorted.map(({ text }) => text)).toEqual(['/orders/new', '/orders/{id}', '/orders/', '/{any}/{id}', '/']);
  });

  it('stands for the same path as a method of an app, too', () => {
    expect(withInvocations([pathTemplate('/orders/{id}')]).map(({ text }) => text)).toEqual([
      '/v1.0/invoke/{app_id}/method/orders/{id}',
      '/orders/{id}',
    ]);
  });
});
