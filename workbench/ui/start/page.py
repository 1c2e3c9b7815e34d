"""The first page that users see: make a project from a folder of photographs, open one, or try the sample."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from workbench.ui import theme
from workbench.ui.actions import tell_key
from workbench.ui.project import recent
from workbench.ui.start.new_project_form import NewProjectForm
from workbench.ui.start.page_overview import PageOverview
from workbench.ui.start.recent_cards import COLUMNS, WIDTH, RecentProjects
from workbench.ui.start.welcome_cards import WelcomeCard
from workbench.ui.widgets import tab_order


class StartPage(QWidget):
    """Emits what the user wants; opening is up to the window."""

    folder_requested = Signal()  # choose a folder of photographs, then `offer`
    open_requested = Signal()
    sample_requested = Signal()
    tour_requested = Signal()
    create_requested = Signal(object, object)  # project folder, folder of photographs
    form_left = Signal()  # the form for a new project was closed
    recent_chosen = Signal(object)  # project folder
    recent_located = Signal(object, object)  # recent.RecentProject, and its folder now, according to the user

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page-start")
        self._content = QVBoxLayout()
        self._content.setSpacing(theme.GRID * 2)
        title = QLabel("Workbench")
        title.setFont(theme.font(theme.TITLE, bold=True))
        about = QLabel("From a folder of photographs to a trained object detector, on your own machine.", wordWrap=True)
        about.setObjectName("start-about")
        about.setProperty("role", "muted")
        self._content.addWidget(title)
        self._content.addWidget(about)
        self._content.addWidget(self._begin())
        self._form = NewProjectForm()
        self._form.create_requested.connect(self.create_requested)
        self._form.left.connect(self.form_left)
        self._form.cancelled.connect(self._back)
        self._recent = RecentProjects()
        self._recent.chosen.connect(self.recent_chosen)
        self._recent.located.connect(self.recent_located)
        self._content.addWidget(self._form)
        self._content.addWidget(self._recent)
        self._add_welcome()
        self._content.addStretch(1)
        self._place()
        self._overview.setVisible(
            not recent.projects()
        )  # only after it is placed: before, it would be a window of its own

    def _place(self) -> None:
        """Put the content into a centred column of readable width that scrolls in a low window."""
        column = QWidget()
        column.setLayout(self._content)
        column.setFixedWidth(WIDTH * COLUMNS + theme.GRID * 2 * (COLUMNS - 1) + theme.GRID * 4)
        inner = QWidget()
        row = QHBoxLayout(inner)
        row.setContentsMargins(0, theme.GRID * 6, 0, theme.GRID * 2)
        row.addStretch(1)
        row.addWidget(column)
        row.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its buttons and cards get the focus
        scroll.setWidget(inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)

    def _begin(self) -> QFrame:
        """The area for dropping photographs or a project, with buttons for choosing them."""
        area = QFrame()
        area.setObjectName("start-drop")
        row = QHBoxLayout(area)
        row.setContentsMargins(*(2 * theme.GRID,) * 4)
        row.setSpacing(theme.GRID)
        for name, word, icon, signal, command in (
            (
                "start-new",
                "New project from a folder…",
                "mdi6.folder-plus-outline",
                self.folder_requested,
                "new-project",
            ),
            ("start-open", "Open…", "mdi6.folder-open-outline", self.open_requested, "open-project"),
        ):
            button = QPushButton(word)
            tell_key(button, command)
            button.setObjectName(name)
            button.setMinimumHeight(theme.GRID * 5)
            button.setIconSize(QSize(20, 20))
            if name == "start-new":
                self._new = button
                button.setProperty("role", "primary")
            theme.set_icon(button, icon)
            button.clicked.connect(signal)
            row.addWidget(button)
        words = QLabel("or drop a folder of photographs, or a project, into this window", wordWrap=True)
        words.setProperty("role", "muted")
        row.addSpacing(theme.GRID)
        row.addWidget(words, 1)
        return area

    def _add_welcome(self) -> None:
        title = QLabel("Try it out")
        title.setFont(theme.font(theme.BODY, bold=True))
        words = "120 drawn photographs with labels, made here in a few seconds, to try everything on"
        self.sample = WelcomeCard("start-sample", "Sample project", words, picture="sample.jpg")
        words = "Through the six pages, from the photographs to the finished detector, on the sample project"
        tour = WelcomeCard("start-tour", "One-minute tour", words, icon="mdi6.map-marker-path")
        self.sample.clicked.connect(self.sample_requested)
        tour.clicked.connect(self.tour_requested)
        row = QHBoxLayout()
        row.setSpacing(2 * theme.GRID)
        row.addWidget(self.sample, 1)
        row.addWidget(tour, 1)
        self._content.addWidget(title)
        self._content.addLayout(row)
        self._overview = PageOverview()
        self._content.addSpacing(2 * theme.GRID)
        self._content.addWidget(self._overview)

    def offer(self, photographs: Path) -> None:
        """Show the form for a new project of this folder."""
        self._form.offer(photographs)

    @Slot()
    def _back(self) -> None:
        """Return the focus to where the form was opened from, unless a project's page has it."""
        if self.isVisible():
            self._new.setFocus()

    def refresh(self) -> None:
        """Read the recent projects again and focus the first button."""
        self._new.setFocus()
        self._recent.refresh()
        tab_order.set_reading_order(self)
        self._overview.setVisible(not recent.projects())

    def hideEvent(self, event: QHideEvent) -> None:
        """A page of the open project is shown: a new project is no longer wanted."""
        if not event.spontaneous():
            self._form.put_away()

    def closing(self) -> None:
        self._form.close_down()
        self._recent.close_down()
