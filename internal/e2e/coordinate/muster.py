'''A pytest plugin: a muster server for the tests of Coordinate's client.

Each process of the test run starts a server of its own, so the tests can run
side by side although they all say clear(). The client's own tests bring fixtures
that start the original daemon; those are replaced by ones that connect to muster.
'''
from __future__ import absolute_import
import errno
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

pytest.register_assert_rewrite('coordinate.tests')

from coordinate.job_client import TaskMaster
from coordinate.tests import test_job_client

# How long a server may take to listen, on a machine that does other things too.
PATIENCE = 60


class Server(object):
    '''One muster server with a data directory of its own.'''

    def __init__(self, directory, *flags):
        self.directory = directory
        self.host, self.port = '127.0.0.1', free_port()
        self.address = '{}:{}'.format(self.host, self.port)
        self.flags = flags
        self.process = None

    def start(self):
        with open(os.path.join(self.directory, 'server.log'), 'ab') as log:
            self.process = subprocess.Popen(
                [os.environ['MUSTER'], 'server', '--data', self.directory,
                 '--listen', '127.0.0.1:0', '--http', 'off', '--no-agent',
                 '--coordinate=' + self.address] + list(self.flags),
                stdout=log, stderr=log)
        self.wait_until_it_listens()
        return self

    def wait_until_it_listens(self):
        deadline = time.time() + PATIENCE
        while self.process.poll() is None and time.time() < deadline:
            try:
                socket.create_connection((self.host, self.port)).close()
                return
            except socket.error as exc:
                if exc.errno != errno.ECONNREFUSED:
                    raise
                time.sleep(0.02)
        self.kill()
        pytest.fail('muster server does not listen on {}:\n{}'.format(self.address, self.log()))

    def log(self):
        with open(os.path.join(self.directory, 'server.log')) as f:
            return f.read()[-4000:]

    def kill(self):
        '''Ends it at once, as a crash would.'''
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()

    def task_master(self, **config):
        '''A client of its own connection.'''
        return TaskMaster(dict(config, address=self.address))


def free_port():
    s = socket.socket()
    s.bind(('127.0.0.1', 0))
    try:
        return s.getsockname()[1]
    finally:
        s.close()


@pytest.fixture(scope='session')
def server():
    '''The server of this process; tests may kill it, and start it again.'''
    directory = tempfile.mkdtemp(prefix='muster-coordinate-')
    config = os.path.join(directory, 'config.yaml')
    with open(config, 'w') as f:
        f.write('coordinate: {address: here}\nnumbers: [1, 2.5]\n')
    s = Server(directory, '--coordinate-config', config).start()
    yield s
    s.stop()
    shutil.rmtree(directory)


@pytest.fixture
def task_master(server):
    '''A client of an empty server.'''
    tm = server.task_master()
    empty(tm)
    yield tm
    empty(tm)
    tm.close()


def empty(tm):
    tm.clear()
    for worker in tm.workers():  # they outlive clear
        tm.worker_unregister(worker)


# What the client's own tests use in place of the fixtures they bring. The tests
# of flows and of the task master import theirs from the tests of the client.
test_job_client.task_master = task_master

from coordinate.tests import test_rejester_worker  # noqa: after the replacement


@pytest.fixture
def working_task_master(task_master):
    '''For the tests of workers, which take its configuration for theirs.

    One of them has 20 units of two seconds done within 15: that takes more
    processes than the one per core that the worker starts by default.
    '''
    task_master.config['fork_worker'] = {'num_workers': 4}
    return task_master


test_rejester_worker.task_master = working_task_master
