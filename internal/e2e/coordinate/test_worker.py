'''Real workers: the program coordinate_worker, which forks, and what becomes of
units whose worker is killed, slow, or cut off from its server.'''
from __future__ import absolute_import
import errno
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

SPEC = {'name': 'held', 'min_gb': 0.01, 'module': 'jobs', 'run_function': 'hold'}


def kill_group(parent):
    '''Kills a worker with all its children, as the end of its machine would.'''
    try:
        os.killpg(parent.pid, signal.SIGKILL)
    except OSError as exc:
        if exc.errno != errno.ESRCH:
            raise
    parent.wait()


def until(what, condition, seconds=40):
    '''Waits for other processes; there is nothing else to wait on.'''
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, 'in {} s it did not happen that {}'.format(seconds, what)
        time.sleep(0.05)


class Workers(object):
    def __init__(self, server, directory):
        self.server, self.directory = server, directory
        self.parents = []

    def start(self, **config):
        '''Starts coordinate_worker in the foreground.'''
        config = dict(config, address=self.server.address)
        config.setdefault('fork_worker', {}).setdefault('num_workers', 1)
        path = os.path.join(self.directory, 'worker-{}.yaml'.format(len(self.parents)))
        with open(path, 'w') as f:
            yaml.dump({'coordinate': config}, f)
        with open(path + '.log', 'w') as log:
            parent = subprocess.Popen(
                [os.path.join(os.path.dirname(sys.executable), 'coordinate_worker'), '-c', path, '--foreground'],
                cwd=self.directory, stdout=log, stderr=log, preexec_fn=os.setsid)
        self.parents.append(parent)
        return parent

    def stop(self):
        for parent in self.parents:
            kill_group(parent)

    def runs_of(self, key):
        '''The processes that have started the unit, first one first.'''
        path = os.path.join(self.directory, key)
        if not os.path.exists(path):
            return []
        with open(path) as f:
            return [int(line) for line in f.read().split()]

    def go(self):
        open(os.path.join(self.directory, 'go'), 'w').close()


@pytest.fixture
def workers(server, task_master, tmpdir):
    w = Workers(server, str(tmpdir))
    yield w
    w.go()
    w.stop()


def hold(task_master, workers, keys, **spec):
    task_master.set_work_spec(dict(SPEC, run_params=[workers.directory], **spec))
    task_master.add_work_units('held', [(key, {}) for key in keys])


def counts(task_master, spec='held'):
    return task_master.count_work_units(spec)


def test_units_are_done_by_several_processes(task_master, workers):
    keys = ['k{}'.format(i) for i in range(6)]
    hold(task_master, workers, keys)
    workers.start(fork_worker={'num_workers': 3})
    until('three units are held', lambda: counts(task_master) == {1: 3, 3: 3})
    workers.go()
    until('all are done', lambda: counts(task_master) == {4: 6})
    assert all(len(workers.runs_of(key)) == 1 for key in keys)


def test_a_broken_function_fails_its_units(task_master, workers):
    hold(task_master, workers, ['a', 'b'], run_function='fail')
    workers.start()
    until('both have failed', lambda: counts(task_master) == {5: 2})
    for status in task_master.get_work_unit_status('held', ['a', 'b']):
        assert 'this one is broken' in status['traceback']


def test_the_unit_of_a_killed_child_comes_back(task_master, workers):
    hold(task_master, workers, ['k'])
    workers.start(default_lifetime=2, fork_worker={'stop_jobs_early': -60})
    until('the unit is held', lambda: workers.runs_of('k'))
    os.kill(workers.runs_of('k')[0], signal.SIGKILL)
    until('another child has it', lambda: len(workers.runs_of('k')) == 2)
    assert counts(task_master) == {3: 1}
    workers.go()
    until('it is done', lambda: counts(task_master) == {4: 1})


def test_another_worker_takes_the_unit_of_a_dead_one(task_master, workers):
    hold(task_master, workers, ['k'])
    dead = workers.start(default_lifetime=2)
    until('the unit is held', lambda: workers.runs_of('k'))
    holder = task_master.get_work_unit_status('held', 'k')['worker_id']
    kill_group(dead)
    assert task_master.get_work_unit_status('held', 'k')['worker_id'] == holder
    workers.start()
    until('the other has it', lambda: len(workers.runs_of('k')) == 2)
    status = task_master.get_work_unit_status('held', 'k')
    assert status['status'] == 3 and status['worker_id'] != holder
    workers.go()
    until('it is done', lambda: counts(task_master) == {4: 1})


def test_a_renewed_lease_is_kept(task_master, workers):
    hold(task_master, workers, ['k'], run_function='hold_and_renew')
    workers.start(default_lifetime=2, fork_worker={'stop_jobs_early': -60})
    until('the unit is held', lambda: workers.runs_of('k'))
    first = task_master.get_work_unit_status('held', 'k')['expiration']
    workers.start()  # it would take the unit as soon as it came free

    def renewed():
        status = task_master.get_work_unit_status('held', 'k')
        assert status['status'] == 3
        return status['expiration'] >= first + 5
    until('the lease has been renewed beyond two leases', renewed)
    workers.go()
    until('it is done', lambda: counts(task_master) == {4: 1})
    assert len(workers.runs_of('k')) == 1
    assert task_master.get_work_units('held', ['k'])[0][1]['renewed'] is True


def test_units_and_leases_outlive_the_server(server, task_master, workers):
    hold(task_master, workers, ['a', 'b'])
    first = workers.start(default_lifetime=8)
    until('a unit is held', lambda: workers.runs_of('a'))
    before = task_master.get_work_unit_status('held', ['a', 'b'])
    server.kill()
    server.start()
    # The client of this test and that of the worker connect again by themselves.
    after = task_master.get_work_unit_status('held', ['a', 'b'])
    assert [s['status'] for s in after] == [s['status'] for s in before] == [3, 1]
    assert after[0]['worker_id'] == before[0]['worker_id']
    assert after[0]['expiration'] >= before[0]['expiration']
    workers.go()
    until('both are done', lambda: counts(task_master) == {4: 2})
    assert [len(workers.runs_of(key)) for key in 'ab'] == [1, 1]
    assert first.poll() is None


def test_a_worker_told_to_stop_ends_what_it_has_begun(task_master, workers):
    hold(task_master, workers, ['a', 'b'])
    worker = workers.start()
    until('a unit is held', lambda: workers.runs_of('a'))
    assert set(task_master.workers().values()) == {'RUN'}
    child = task_master.get_work_unit_status('held', 'a')['worker_id']
    heartbeat = task_master.get_heartbeat(child)
    assert heartbeat['pid'] == workers.runs_of('a')[0] and heartbeat['version'] == '0.1.5'
    children = task_master.get_child_work_units(heartbeat['parent'])
    assert [unit.key for unit in children[child]] == ['a']
    worker.terminate()
    os.kill(workers.runs_of('a')[0], 0)
    workers.go()
    worker.wait()
    assert worker.returncode == 0
    # The child is given ten seconds to look for more, which it may spend on b.
    assert counts(task_master) in ({4: 1, 1: 1}, {4: 2})
    assert task_master.workers() == {}
