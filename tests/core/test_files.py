"""Files are written whole or not at all, and what stands in the way is told by the name of the file."""

import errno

import pytest

from mmtbps.core.files import write_atomically, written_atomically

REMEDY = r'Name a file in a folder that you may write to and that has room\.'


def fill_the_disk(path):
    with written_atomically(path) as file:
        file.write_bytes(b'half')
        raise OSError(errno.ENOSPC, 'No space left on device')


def test_a_full_disk(tmp_path):
    path = tmp_path / 'answer.csv'
    path.write_text('old')
    with pytest.raises(OSError, match=rf'answer\.csv cannot be written: No space left on device\. {REMEDY}'):
        fill_the_disk(path)
    assert [file.name for file in tmp_path.iterdir()] == ['answer.csv']
    assert path.read_text() == 'old'


def test_a_folder_of_that_name_and_a_file_in_the_way(tmp_path):
    (tmp_path / 'crops').mkdir()
    with pytest.raises(IsADirectoryError, match=rf'/crops cannot be written: Is a directory\. {REMEDY}'):
        write_atomically(tmp_path / 'crops', b'')
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match=r'file/in/it\.csv cannot be written: Not a directory'):
        write_atomically(tmp_path / 'file' / 'in' / 'it.csv', b'')


def test_a_folder_that_may_not_be_written_to(tmp_path, monkeypatch):
    def refuse(prefix, suffix, dir):
        raise PermissionError(errno.EACCES, 'Permission denied', f'{dir}/{prefix}x{suffix}')

    monkeypatch.setattr('tempfile.mkstemp', refuse)
    with pytest.raises(PermissionError, match=r'/a\.json cannot be written: Permission denied'):
        write_atomically(tmp_path / 'a.json', b'')


def test_errors_of_other_files_go_on_as_they_are(tmp_path):
    with pytest.raises(FileNotFoundError) as error, written_atomically(tmp_path / 'copy'):
        (tmp_path / 'gone').read_bytes()
    assert error.value.filename == str(tmp_path / 'gone')


def test_what_stands_in_the_way_of_both_is_told_once(tmp_path):
    told = pytest.raises(OSError, match=r'^[^ ]*inner cannot be written: No space')
    with told as error, written_atomically(tmp_path / 'outer'):
        fill_the_disk(tmp_path / 'inner')
    assert str(error.value).count('cannot be written') == 1
