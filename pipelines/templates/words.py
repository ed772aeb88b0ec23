"""What is told of a filled-in template, in the languages that templates are in.

Belongs here: the sentences. Does not: when each is said (`whole`, `checking`), or what is written in a column
(`forms`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.templates.forms import Language


@dataclass(frozen=True)
class Told:
    """What is told in a language. What stands in braces is filled in."""

    row: str
    readable: str
    readable_one: str
    notes: str
    note: str
    repeated: str
    repeated_one: str
    problems: str
    problem: str
    no_file: str

    unreadable: str
    save: str
    encoding: str
    save_utf8: str
    nul: str
    quotes: str
    close_quotes: str
    nothing: str
    no_rows: str
    only_notes: str
    fill: str
    blank_above: str
    delete_above: str
    one_column: str
    separate: str
    no_column: str
    spelt: str
    rename: str
    add: str
    twice: str
    rename_one: str
    fields: str
    quote_separator: str

    empty: str
    no_day: str
    no_number: str
    exponent: str
    digits: str
    future: str
    old: str
    no_currency: str
    mail: str
    code: str
    same_key: str
    own_key: str
    correct: str


_ES = Told(
    row="fila",
    readable="{rows} filas, todas se pueden leer",
    readable_one="1 fila, se puede leer",
    notes="{notes} notas no cuentan",
    note="1 nota no cuenta",
    repeated="{rows} filas repiten otra letra por letra, y cuentan una sola vez",
    repeated_one="1 fila repite otra letra por letra, y cuenta una sola vez",
    problems="{found} problemas",
    problem="1 problema",
    no_file="{path} no es un fichero: da el que se ha rellenado",
    unreadable="no se puede leer ({why})",
    save="Guárdalo como CSV (UTF-8) con esta cabecera: {header}",
    encoding="lo que hay en la línea {line} no es UTF-8",
    save_utf8="Guárdalo como CSV UTF-8",
    nul="no es texto: tiene caracteres NUL",
    quotes="unas comillas no se cierran, o siguen letras a las que cierran",
    close_quotes="Cierra las comillas, o quítalas; las que son parte de un texto se escriben dobles",
    nothing="está vacío: no tiene ni cabecera",
    no_rows="no tiene más que la cabecera",
    only_notes="no tiene más que la cabecera y notas ({notes})",
    fill="Escribe una fila por cada caso; una que empieza por '{sign}' y no dice nada en sus otras celdas es una nota",
    blank_above="está en blanco, y la cabecera está en la fila {number}",
    delete_above="Borra las filas que hay encima de la cabecera",
    one_column="tiene una sola columna, '{found}', donde las columnas se separan con '{separator}'",
    separate="Guárdalo como CSV separado por '{separator}', con esta cabecera: {header}",
    no_column="falta la columna; hay {found}",
    spelt="falta la columna; hay una que se llama '{found}'",
    rename="Llámala {name}, sin más",
    add="La cabecera es {header}",
    twice="hay {count} columnas que se llaman así",
    rename_one="Deja una, y llama a la otra por su nombre: la cabecera es {header}",
    fields="tiene {found} celdas, donde la cabecera tiene {width}",
    quote_separator="Escribe una celda por columna; un texto que lleva '{separator}' va entre comillas",
    empty="está vacío",
    no_day="'{found}' no es un día que exista, escrito como {example}",
    no_number="'{found}' no es un número escrito con '{decimal}' decimal y sin separar los miles",
    exponent="'{found}' está escrito con exponente, y se leería como {read}",
    digits="Escribe todas sus cifras",
    future="'{found}' está en el futuro",
    old="'{found}' es anterior al año {year}",
    no_currency="'{found}' no es un código de tres letras mayúsculas",
    mail="lleva una dirección de correo, que nunca se guarda",
    code="Escribe un código o un nombre",
    same_key="'{found}' está también en la fila {before}",
    own_key="Da a cada fila un código propio",
    correct="Corrige la fila",
)

_EN = Told(
    row="row",
    readable="{rows} rows, all of them can be read",
    readable_one="1 row, it can be read",
    notes="{notes} notes do not count",
    note="1 note does not count",
    repeated="{rows} rows repeat another word for word, and count once",
    repeated_one="1 row repeats another word for word, and counts once",
    problems="{found} problems",
    problem="1 problem",
    no_file="{path} is no file: name the filled-in one",
    unreadable="cannot be read ({why})",
    save="Save it as CSV (UTF-8) under this header: {header}",
    encoding="what stands in line {line} is not UTF-8",
    save_utf8="Save it as CSV UTF-8",
    nul="is no text: it holds NUL characters",
    quotes="a quote is left open, or letters follow the one that closes it",
    close_quotes="Close it, or take it away; quotes that are part of a text are written twice",
    nothing="is empty: it has not even a header",
    no_rows="has nothing but its header",
    only_notes="has nothing but its header and notes ({notes})",
    fill="Write a row for each case; one that begins with '{sign}' and says nothing in its other cells is a note",
    blank_above="is blank, and the header is in row {number}",
    delete_above="Delete the rows above the header",
    one_column="has one column, '{found}', where columns are separated with '{separator}'",
    separate="Save it as CSV separated with '{separator}', under this header: {header}",
    no_column="there is no such column; there are {found}",
    spelt="there is no such column; there is one called '{found}'",
    rename="Call it {name}, and no more",
    add="The header is {header}",
    twice="{count} columns are called so",
    rename_one="Keep one, and call the other by its name: the header is {header}",
    fields="has {found} cells, where the header has {width}",
    quote_separator="Write a cell for each column; a text that holds '{separator}' goes in quotes",
    empty="is empty",
    no_day="'{found}' is not a day that there is, written as {example}",
    no_number="'{found}' is not a number written with '{decimal}' before its decimals and no sign between thousands",
    exponent="'{found}' is written with an exponent, and would be read as {read}",
    digits="Write all of its digits",
    future="'{found}' is in the future",
    old="'{found}' is before the year {year}",
    no_currency="'{found}' is no code of three capital letters",
    mail="holds a mail address, which is never stored",
    code="Write a code or a name",
    same_key="'{found}' is in row {before} as well",
    own_key="Give each row a code of its own",
    correct="Correct the row",
)

TOLD: Mapping[Language, Told] = {"es": _ES, "en": _EN}
"""By language."""
