'''What the workers of these tests run.'''
from __future__ import absolute_import
import os
import time


def echo(unit):
    unit.data['output'] = {'said': unit.data.get('say')}


def fail(unit, *args):
    raise ValueError('this one is broken')


def sign(unit, path):
    '''Leaves the process's number in a file, to show that it has started.'''
    with open(os.path.join(path, unit.key), 'a') as f:
        f.write('{}\n'.format(os.getpid()))


def hold(unit, path):
    '''Signs, and waits until a file named go appears beside.'''
    sign(unit, path)
    until_it_goes(path)


def hold_and_renew(unit, path):
    '''The same, but renews the lease all the while.'''
    sign(unit, path)
    until_it_goes(path, lambda: unit.update(lease_time=2))
    unit.data['renewed'] = True


def until_it_goes(path, meanwhile=lambda: None):
    deadline = time.time() + 60
    while not os.path.exists(os.path.join(path, 'go')):
        if time.time() > deadline:
            raise RuntimeError('nobody said go')
        meanwhile()
        time.sleep(0.2)
