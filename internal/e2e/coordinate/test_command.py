'''The command line of the original client, every action of it.'''
from __future__ import absolute_import
import ast
import json
import os
import re
import subprocess
import sys

import pytest
import yaml

SPEC = {
    'name': 'letters',
    'desc': 'letters of the alphabet',
    'min_gb': 0.01,
    'module': 'jobs',
    'run_function': 'echo',
}
UNITS = '{"a": {"say": 1}}\n\n# a comment\n{"b": {"say": 2}}\n{"c": {"say": 3}}\n'


class Command(object):
    '''The program coordinate, with files in a directory of its own.'''

    def __init__(self, server, directory):
        self.directory = directory
        self.config = self.file('config.yaml', yaml.dump({'coordinate': {'address': server.address}}))

    def file(self, name, content):
        path = os.path.join(self.directory, name)
        with open(path, 'w') as f:
            f.write(content)
        return path

    def run(self, *args, **how):
        '''Its standard output; how has stdin, and code for another exit code than 0.'''
        process = subprocess.Popen(
            [os.path.join(os.path.dirname(sys.executable), 'coordinate'), '-c', self.config] + list(args),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.directory)
        out, err = process.communicate(how.get('stdin', ''))
        assert process.returncode == how.get('code', 0), err
        return re.sub(r'\b(\d+)L\b', r'\1', out)  # one and the same number to Python 2


@pytest.fixture
def command(server, task_master, tmpdir):
    return Command(server, str(tmpdir))


@pytest.fixture
def letters(task_master):
    '''A spec with three units.'''
    task_master.set_work_spec(SPEC)
    task_master.add_work_units('letters', [(k, {'say': i}) for i, k in enumerate('abc', 1)])
    return task_master


def counts(task_master, spec='letters'):
    return task_master.count_work_units(spec)


def take(task_master, n=1):
    units = task_master.get_work('tester', max_jobs=n)
    return units if n > 1 else [units]


def test_load(command, task_master):
    spec = command.file('spec.yaml', yaml.dump(SPEC))
    units = command.file('units.json', UNITS)
    out = command.run('load', '-w', spec, '-u', units, '-n', '5')
    assert "finished writing 3 work units to work_spec='letters'" in out
    assert counts(task_master) == {1: 3}
    assert task_master.get_work_spec('letters') == dict(SPEC, nice=5)
    assert task_master._rpc('get_work_spec_meta', ['letters'])[0]['weight'] == 15
    assert task_master.get_work_units('letters', ['c']) == [('c', {'say': 3})]


def test_load_only_the_spec(command, task_master):
    spec = command.file('spec.json', json.dumps(SPEC))
    assert 'no work units. done.' in command.run('load', '-w', spec, '--no-work')
    assert counts(task_master) == {}
    assert task_master.get_work_spec('letters')['nice'] == 0


def test_addwork(command, letters):
    command.run('addwork', '-W', 'letters', '-u', '-', stdin='{"d": {"say": 4}}\n')
    spec = command.file('spec.yaml', yaml.dump(SPEC))
    more = command.file('more.json', '{"e": {}}\n{"a": {"say": "again"}}\n')
    command.run('addwork', '-w', spec, '-u', more)
    assert counts(letters) == {1: 5}
    assert letters.get_work_units('letters', ['a']) == [('a', {'say': 'again'})]


def test_flow(command, task_master):
    flow = command.file('flow.yaml', '''
flows:
  alone: {min_gb: 1, module: jobs, run_function: echo}
  line:
    first: {min_gb: 1, module: jobs, run_function: echo, then: line.second, config: {own: {deep: [1, two]}}}
    second: {min_gb: 1, module: jobs, run_function: echo}
''')
    command.run('flow', flow)
    assert command.run('work_specs').split() == ['alone', 'line.first', 'line.second']
    first = task_master.get_work_spec('line.first')
    assert first['then'] == 'line.second'
    assert first['config']['own'] == {'deep': [1, 'two']}
    assert first['config']['coordinate']['address'] == task_master.config['address']


def test_a_flow_runs_to_its_end(command, task_master):
    flow = command.file('flow.yaml', '''
flows:
  first: {min_gb: 1, module: jobs, run_function: echo, then: second}
  second: {min_gb: 1, module: jobs, run_function: echo}
''')
    command.run('flow', flow)
    task_master.add_work_units('first', {'k': {'say': {'of': 'the first'}}})
    command.run('run_one', '--limit-count', '5', code=2)
    assert task_master.get_work_units('second') == [('said', {'of': 'the first', 'output': {'said': None}})]
    assert counts(task_master, 'first') == counts(task_master, 'second') == {4: 1}


def test_summary_and_status(command, letters):
    take(letters)[0].finish()
    take(letters)[0].fail(ValueError('no'))
    take(letters)
    table = command.run('summary').splitlines()
    assert table[0].split() == ['Work', 'spec', 'Avail', 'Pending', 'Blocked', 'Failed', 'Finished', 'Total']
    assert table[2].split() == ['letters', '0', '1', '0', '1', '1', '3']
    want = {'num_available': 0, 'num_blocked': 0, 'num_failed': 1, 'num_finished': 1, 'num_pending': 1, 'num_tasks': 3}
    summary = json.loads(command.run('summary', '--json'))
    assert summary.pop('_NOW') > 0 and summary == {'letters': want}
    assert json.loads(command.run('status', '-W', 'letters')) == want
    spec = command.file('spec.yaml', yaml.dump(SPEC))
    assert json.loads(command.run('status', '-w', spec)) == want


def test_work_specs_and_work_spec(command, letters):
    letters.set_work_spec(dict(SPEC, name='earlier'))
    assert command.run('work_specs').splitlines() == ['earlier', 'letters']
    assert json.loads(command.run('work_spec', '-W', 'letters', '--json')) == SPEC
    assert yaml.safe_load(command.run('work_spec', '-W', 'letters')) == SPEC
    assert yaml.safe_load(command.run('work_spec', '-W', 'letters', '--yaml')) == SPEC


def test_work_units(command, letters):
    assert command.run('work_units', '-W', 'letters').split() == ['a', 'b', 'c']
    assert command.run('work_units', '-W', 'letters', '-n', '2').split() == ['a', 'b']
    first, second = take(letters, 2)
    first.finish()
    second.fail(ValueError('no'))
    for status, keys in [('available', ['c']), ('pending', []), ('blocked', []), ('finished', ['a']), ('failed', ['b'])]:
        assert command.run('work_units', '-W', 'letters', '-s', status).split() == keys
    details = command.run('work_units', '-W', 'letters', '--details')
    assert "'a': {" in details and 'ValueError: no' not in details.split("'b'")[0]


def test_work_unit(command, letters):
    letters.worker_heartbeat('tester', environment={'hostname': 'here', 'ipaddrs': ('127.0.0.1',)})
    unit = take(letters)[0]
    out = command.run('work_unit', '-W', 'letters', 'a', 'b')
    assert 'a (3)' in out and 'b (1)' in out
    assert 'Expires: ' in out and 'Worker: tester (here on 127.0.0.1)' in out
    unit.data['traceback'] = 'told so'
    unit._do_update(status=letters.FAILED)
    out = command.run('work_unit', '-W', 'letters', 'a')
    assert 'a (5)' in out and 'told so' in out
    letters.worker_unregister('tester')


def test_run_one(command, letters):
    command.run('run_one')
    assert counts(letters) == {1: 2, 4: 1}
    assert letters.get_work_units('letters', ['a']) == [('a', {'say': 1, 'output': {'said': 1}})]
    command.run('run_one', '--from-work-spec', 'another', code=2)
    command.run('run_one', '--from-work-spec', 'letters', '--from-work-spec', 'another', '--max-jobs', '2')
    assert counts(letters) == {4: 3}
    command.run('run_one', code=2)


def test_run_one_of_a_broken_function(command, letters):
    letters.set_work_spec(dict(SPEC, run_function='fail'))
    command.run('run_one', '--limit-count', '3')
    assert counts(letters) == {5: 3}
    status = letters.get_work_unit_status('letters', 'b')
    assert status['status'] == 5 and 'this one is broken' in status['traceback']


def test_prioritize(command, letters):
    command.run('prioritize', 'letters', 'c', 'b')
    assert [unit.key for unit in take(letters, 9)] == ['b', 'c', 'a']


def test_pause_and_resume(command, letters):
    command.run('pause', 'letters')
    assert take(letters) == [None]
    command.run('run_one', code=2)
    command.run('resume', 'letters')
    assert take(letters)[0].key == 'a'


def test_retry(command, letters):
    for unit in take(letters, 3):
        unit.fail(ValueError('no'))
    assert counts(letters) == {5: 3}
    assert command.run('retry', '-W', 'letters', 'b') == 'Retried 1 work unit.\n'
    assert counts(letters) == {1: 1, 5: 2}
    assert letters.get_work_units('letters', ['b']) == [('b', {'say': 2})]
    assert command.run('retry', '-W', 'letters', '--all') == 'Retried 2 work units.\n'
    assert counts(letters) == {1: 3}
    assert command.run('retry', '-W', 'letters', '--all') == 'Nothing to do.\n'


def test_clear(command, letters):
    assert command.run('clear', '-W', 'letters', '-s', 'finished', 'a') == 'Removed 0 work units.\n'
    assert command.run('clear', '-W', 'letters', 'a', 'nothing') == 'Removed 1 work units.\n'
    take(letters)[0].fail(ValueError('no'))
    for status, removed in [('blocked', 0), ('pending', 0), ('finished', 0), ('failed', 1), ('available', 1)]:
        assert command.run('clear', '-W', 'letters', '-s', status) == 'Removed {} work units.\n'.format(removed)
    assert counts(letters) == {}
    letters.add_work_units('letters', {'x': {}, 'y': {}})
    take(letters)
    assert command.run('clear', '-W', 'letters') == 'Removed 2 work units.\n'
    assert counts(letters) == {}


def test_workers(command, task_master):
    assert command.run('workers') == ''
    task_master.worker_heartbeat('w2', 'IDLE', environment={'pid': 7, 'memory': (1, 2.5)})
    task_master.worker_heartbeat('w1', 'RUN', parent='w2')
    try:
        assert command.run('workers').splitlines() == ['w1 (RUN)', 'w2 (IDLE)']
        assert command.run('workers', '--all').splitlines()[-1] == 'w2 (IDLE)'
        details = command.run('workers', '--details')
        assert '  pid: 7\n' in details and '  memory: (1, 2.5)\n' in details and details.count('age_seconds') == 2
        stats = ast.literal_eval(command.run('worker_stats'))
        assert stats == {'num_workers': 2, 'num_children': 1, 'num_expirable': 2}
    finally:
        for worker in ('w1', 'w2'):
            task_master.worker_unregister(worker)
    assert command.run('workers') == ''


def test_config(command):
    want = {'coordinate': {'address': 'here'}, 'numbers': [1, 2.5]}
    assert yaml.load(command.run('config'), Loader=yaml.Loader) == want
    path = os.path.join(command.directory, 'server.yaml')
    command.run('config', '-o', path)
    with open(path) as f:
        assert yaml.load(f, Loader=yaml.Loader) == want


def test_rpc(command, letters):
    assert command.run('rpc', 'count_work_units', 'letters') == '[{1: 3}, None]\n'
    assert command.run('rpc', 'archive', '{}') == 'None\n'
    assert command.run('rpc', 'archive') == 'None\n'
    assert int(command.run('rpc', 'now')) > 1400000000
    assert 'no such method' in command.run('rpc', 'Nosuch')
    assert 'Exception' in command.run('rpc', 'count_work_units')
    assert command.run('rpc', 'lock', 'me', '60', '[[usr, bin], [usr, share]]') == '[True, None]\n'
    assert command.run('rpc', 'readlock', '[[usr, bin], [usr]]') in ("['me', None]\n", "[u'me', None]\n")
    assert command.run('rpc', 'unlock', 'me', '[[usr, bin], [usr, share]]') == '[True, None]\n'


def test_delete(command, letters):
    assert 'not deleting anything' in command.run('delete', stdin='no\n')
    assert counts(letters) == {1: 3}
    assert 'deleting all' in command.run('delete', '-y')
    assert letters.list_work_specs() == ([], None)


def test_the_shell(command, letters):
    out = command.run(stdin='help\nhelp pause\nwork_specs\npause letters\nquit\nwork_specs\n')
    assert 'exit the program' not in out and 'work_units' in out
    assert out.count('letters\n') == 1
    assert take(letters) == [None]
    command.run('quit')
